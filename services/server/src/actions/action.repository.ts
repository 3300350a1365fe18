import { Inject, Injectable } from '@nestjs/common';
import { requestDigest, verbFromWord, Verb, isUuid } from '@modfleet/proto';
import { AccessRepository } from '../access/access.repository.ts';
import type { AccessSeals } from '../access/seals.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { decide, raisedNote, type ActionEffect, type ActionEvent, type ActionSnapshot } from './action.machine.ts';
import type { Envelope } from '../signing/command-signer.ts';
import { toUnsignedRequest } from './action.mapper.ts';
import type { HeldAction, NewAction, StoredAction, StoredResult, StoredVerdict } from './action.model.ts';
import { insertActions } from './action-insert.queries.ts';
import { lockQueued, queuedSnapshot, updateEnded } from './action-withdraw.queries.ts';
import {
  type ActionFilter,
  type ActionUpdate,
  endUnread,
  holdActions,
  insertUnknownResult,
  type NewLine,
  selectAction,
  selectActions,
  selectNow,
  updateActions,
} from './action.queries.ts';
import { fromHeld, fromRow } from './action.rows.ts';
import { outcomeNumber } from './action.states.ts';
import type { Requester } from './action-requester.ts';
import { nextSweep, whyApart } from './dispatch.rules.ts';
import { shareNewestSessions } from '../presence/session.queries.ts';

/** What a host said along with an event. */
export interface Said {
  readonly verdict?: StoredVerdict;
  readonly result?: StoredResult;
  readonly hostMessage?: string;
  /** The result as it came, to be kept apart if it is not the action's own. */
  readonly raw?: unknown;
}

/** An action as it was accepted. */
export interface SignedAction {
  readonly action: NewAction;
  readonly requester: Requester;
  readonly envelope: Envelope;
}

/** One event that is to be applied to one action. */
export interface Change {
  readonly id: string;
  readonly event: ActionEvent;
  readonly said?: Said;
  /** Set when a host speaks: another host's action is no action of it. */
  readonly hostId?: string;
}

export interface Applied {
  readonly before: HeldAction;
  readonly after: HeldAction;
  readonly effects: readonly ActionEffect[];
}

/** What a host says of an action. */
export interface HostReport {
  readonly id: string;
  readonly hostId: string;
  readonly event: ActionEvent;
  readonly said: Said;
  /** Of a result: over which session it came, and whether it is about this request. Progress is taken from any, and lost where it is of no action. */
  readonly result?: { readonly sessionNo: number; readonly isAbout: (known: HeldAction) => boolean };
}

/**
 * What became of a report. `superseded`: the host has a newer session by now, over which it was told what is open and says its results anew; the
 * host may have been asked again on the strength of what was known then. `apart`: it is of no action as it is known here, and was kept with the reason.
 */
export type Reported =
  | { readonly kind: 'applied'; readonly applied: Applied | undefined }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'apart'; readonly why: string };

/** Actions in Postgres. The only writer of `action`, `action_transition` and `unknown_result`; every change goes through the machine. */
@Injectable()
export class ActionRepository {
  readonly #database: DatabaseService;
  readonly #seals: AccessSeals;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) { seals }: Pick<AccessRepository, 'seals'>,
  ) {
    this.#database = database;
    this.#seals = seals;
  }

  /** Undefined for what is no id, too. */
  async find(id: string, sql: Sql = this.#database): Promise<StoredAction | undefined> {
    if (!isUuid(id)) return undefined;
    const row = await selectAction(sql, id);
    return row === undefined ? undefined : fromRow(row, this.#seals);
  }

  /** Newest first; each with its exact time of creation as text, for the cursor. */
  async list(sql: Sql, filter: ActionFilter): Promise<{ action: StoredAction; createdAt: string }[]> {
    const rows = await selectActions(sql, filter);
    return rows.map((row) => ({ action: fromRow(row, this.#seals), createdAt: row.created_at_text }));
  }

  /** Stores signed actions, with the first line of their timelines. */
  async insert(sql: Sql, signed: readonly SignedAction[]): Promise<void> {
    await insertActions(
      sql,
      signed.map(({ action, requester, envelope }) => ({
        ...action,
        ...envelope,
        requester,
        verb: verbFromWord(action.verb) ?? Verb.VERB_UNSPECIFIED,
        requestDigest: requestDigest(toUnsignedRequest(action)),
      })),
    );
  }

  /**
   * Cancels those of the actions that were not sent yet, in the caller's transaction; the others are left as they are.
   *
   * @returns ids of those that were cancelled.
   */
  async cancelQueued(sql: Sql, ids: readonly string[], by: string): Promise<string[]> {
    const queued = await lockQueued(sql, ids);
    if (queued.length === 0) return [];
    const now = await selectNow(sql);
    const ended = queued.map((row) => {
      const { next, effects } = decide(queuedSnapshot(row), { kind: 'cancel', by }, now);
      const note = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.note] : [])).join('; ');
      return { ...columnsOf(row.id, next), note };
    });
    await updateEnded(sql, ended);
    return ended.map(({ id }) => id);
  }

  /**
   * Applies one event in a transaction of its own. Undefined when there is no such action.
   *
   * @param hostId set when a host speaks: another host's action is no action of it.
   */
  apply(id: string, event: ActionEvent, said: Said = {}, hostId?: string): Promise<Applied | undefined> {
    return this.#database.tx('READ COMMITTED', (sql) => this.applyIn(sql, id, event, said, hostId));
  }

  /**
   * Takes what hosts report, of which no two are of one action, in one transaction: four statements, and one more for each that is kept apart.
   *
   * @returns what became of each, in their order.
   */
  applyReports(reports: readonly HostReport[]): Promise<Reported[]> {
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const newest = await shareNewestSessions(
        sql,
        reports.flatMap(({ hostId, result }) => (result === undefined ? [] : hostId)),
      );
      const held = await this.#hold(
        sql,
        reports.map(({ id }) => id),
      );
      const reported: (Reported | HostReport)[] = [];
      for (const report of reports) {
        const { id, hostId, result, said } = report;
        const known = held.get(id);
        const why =
          result === undefined
            ? undefined
            : whyApart(known, hostId, () => known !== undefined && result.isAbout(known));
        if (why !== undefined) {
          await insertUnknownResult(sql, id, hostId, { why, result: said.raw ?? null });
          reported.push({ kind: 'apart', why });
        } else if (result !== undefined && (newest.get(hostId) ?? 0) > result.sessionNo)
          reported.push({ kind: 'superseded' });
        else reported.push(report);
      }
      const changes = reported.filter((one) => 'event' in one);
      const applied = new Map((await this.#change(sql, held, changes)).map((one) => [one.before.id, one]));
      return reported.map((one) => ('event' in one ? { kind: 'applied', applied: applied.get(one.id) } : one));
    });
  }

  /** The same inside a transaction of the caller. Effects other than writes are the caller's, after the commit. */
  async applyIn(
    sql: Sql,
    id: string,
    event: ActionEvent,
    said: Said = {},
    hostId?: string,
  ): Promise<Applied | undefined> {
    const [applied] = await this.applyAllIn(sql, [{ id, event, said, ...(hostId === undefined ? {} : { hostId }) }]);
    return applied;
  }

  /** The same of many actions at once, one event each; three statements. @returns those that are there, in the order of the changes. */
  async applyAllIn(sql: Sql, changes: readonly Change[]): Promise<Applied[]> {
    const held = await this.#hold(
      sql,
      changes.map(({ id }) => id),
    );
    return this.#change(sql, held, changes);
  }

  async #hold(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, HeldAction>> {
    const wanted = ids.filter(isUuid);
    if (wanted.length === 0) return new Map();
    return new Map((await holdActions(sql, wanted)).map((row) => [row.id, fromHeld(row)]));
  }

  /** Decides and writes; the rows are held. */
  async #change(sql: Sql, held: ReadonlyMap<string, HeldAction>, changes: readonly Change[]): Promise<Applied[]> {
    const present = changes.flatMap((change) => {
      const before = held.get(change.id);
      if (before === undefined || (change.hostId !== undefined && before.hostId !== change.hostId)) return [];
      return { ...change, before };
    });
    if (present.length === 0) return [];
    const now = await selectNow(sql);
    const written = present.map(({ before, event, said = {} }) => writtenOf(before, event, said, now));
    const updates = written.flatMap(({ update }) => update ?? []);
    if (updates.length > 0)
      await updateActions(
        sql,
        updates,
        written.flatMap(({ lines }) => lines),
      );
    for (const { applied, raw } of written)
      for (const effect of applied.effects)
        if (effect.kind === 'keep_result_apart')
          await insertUnknownResult(sql, applied.before.id, applied.before.hostId, { why: effect.why, result: raw });
    return written.map(({ applied }) => applied);
  }

  /**
   * Ends an action of an older epoch whose row this version cannot read: as `unconfirmed`, which says nothing of what it was or whether it ran. The
   * machine would decide the same, if it could be asked.
   */
  async endUnread(id: string, epoch: number): Promise<void> {
    const note = `${raisedNote(epoch, 'it may have run')}; its row cannot be read by this version of the server`;
    await endUnread(this.#database, id, outcomeNumber('unconfirmed'), note);
  }
}

/** What one event makes of one action, and what is to be written of it. Pure. */
function writtenOf(
  before: HeldAction,
  event: ActionEvent,
  said: Said,
  now: Date,
): {
  readonly applied: Applied;
  readonly update: ActionUpdate | undefined;
  readonly lines: NewLine[];
  readonly raw: unknown;
} {
  const { id } = before;
  const { next, effects } = decide(before, event, now);
  const stores = effects.some((effect) => effect.kind === 'store_result');
  const verdict = said.verdict ?? null;
  const result = stores ? (said.result ?? null) : null;
  const message = stores ? (said.hostMessage ?? null) : null;
  const notes = effects.filter((effect) => effect.kind === 'record');
  const raw = said.raw ?? null;
  if (next === before && notes.length === 0 && (verdict === null || before.verdict !== null))
    return { applied: { before, after: before, effects }, update: undefined, lines: [], raw };
  const outcome = next.resolvedOutcome ?? next.outcome;
  const line = { id, at: now, state: next.state, outcome: outcome === null ? null : outcomeNumber(outcome) };
  const after: HeldAction = {
    ...before,
    ...next,
    verdict: verdict ?? before.verdict,
    result: result === null ? before.result : before.result === null ? result : { ...result, earlier: before.result },
    hostMessage: message ?? before.hostMessage,
    version: before.version + 1,
  };
  return {
    applied: { before, after, effects },
    update: { ...columnsOf(id, next), verdict, result, message },
    lines: notes.map(({ note }, index) => ({ ...line, number: index + 1, note })),
    raw,
  };
}

function columnsOf(id: string, next: ActionSnapshot) {
  return {
    id,
    state: next.state,
    outcome: next.outcome === null ? null : outcomeNumber(next.outcome),
    resolvedOutcome: next.resolvedOutcome === null ? null : outcomeNumber(next.resolvedOutcome),
    dispatchedAt: next.dispatchedAt,
    startedAt: next.startedAt,
    endedAt: next.endedAt,
    resolvedAt: next.resolvedAt,
    cancelRequestedAt: next.cancelRequestedAt,
    cancelledBy: next.cancelledBy,
    confirmDeadline: next.confirmDeadline,
    confirmOfferedAt: next.confirmOfferedAt,
    confirmPeer: next.confirmPeer,
    nextSweepAt: nextSweep(next),
  };
}
