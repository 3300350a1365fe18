import { Inject, Injectable } from '@nestjs/common';
import { requestDigest, verbFromWord, Verb, isUuid } from '@modfleet/proto';
import { AccessRepository } from '../access/access.repository.ts';
import type { AccessSeals } from '../access/seals.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { decide, raisedNote, type ActionEffect, type ActionEvent, type ActionSnapshot } from './action.machine.ts';
import type { Envelope } from '../signing/command-signer.ts';
import { toUnsignedRequest } from './action.mapper.ts';
import type { NewAction, StoredAction, StoredResult, StoredVerdict } from './action.model.ts';
import { insertActions } from './action-insert.queries.ts';
import { lockQueued, queuedSnapshot, updateEnded } from './action-withdraw.queries.ts';
import {
  endUnread,
  insertTransition,
  insertUnknownResult,
  lockAction,
  selectAction,
  selectActions,
  selectNow,
  updateAction,
  type ActionFilter,
} from './action.queries.ts';
import { fromRow } from './action.rows.ts';
import { outcomeNumber } from './action.states.ts';
import type { Requester } from './action-requester.ts';
import { nextSweep } from './dispatch.rules.ts';
import { isSuperseded } from '../presence/session.queries.ts';

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

export interface Applied {
  readonly before: StoredAction;
  readonly after: StoredAction;
  readonly effects: readonly ActionEffect[];
}

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
   * Applies what a host reports over one of its sessions. `superseded`: the host has a newer session by now, over which it was told what is open
   * and says its results anew. The report is not applied: the host may have been asked again on the strength of what was known then.
   */
  applyReport(
    id: string,
    event: ActionEvent,
    said: Said,
    session: { readonly hostId: string; readonly sessionNo: number },
  ): Promise<Applied | 'superseded' | undefined> {
    return this.#database.tx('READ COMMITTED', async (sql) =>
      (await isSuperseded(sql, session.hostId, session.sessionNo))
        ? 'superseded'
        : this.applyIn(sql, id, event, said, session.hostId),
    );
  }

  /** The same inside a transaction of the caller. Effects other than writes are the caller's, after the commit. */
  async applyIn(
    sql: Sql,
    id: string,
    event: ActionEvent,
    said: Said = {},
    hostId?: string,
  ): Promise<Applied | undefined> {
    if (!isUuid(id) || !(await lockAction(sql, id))) return undefined;
    const before = await this.find(id, sql);
    if (before === undefined || (hostId !== undefined && before.hostId !== hostId)) return undefined;
    const now = await selectNow(sql);
    const { next, effects } = decide(before, event, now);
    const stores = effects.some((effect) => effect.kind === 'store_result');
    const verdict = said.verdict ?? null;
    const notes = effects.filter((effect) => effect.kind === 'record');
    if (next !== before || notes.length > 0 || (verdict !== null && before.verdict === null)) {
      await updateAction(sql, {
        ...columnsOf(before.id, next),
        verdict,
        result: stores ? (said.result ?? null) : null,
        message: stores ? (said.hostMessage ?? null) : null,
      });
    }
    for (const { note } of notes) {
      const outcome = next.resolvedOutcome ?? next.outcome;
      await insertTransition(sql, {
        actionId: id,
        at: now,
        state: next.state,
        outcome: outcome === null ? null : outcomeNumber(outcome),
        note,
      });
    }
    for (const effect of effects) {
      if (effect.kind === 'keep_result_apart')
        await insertUnknownResult(sql, id, before.hostId, { why: effect.why, result: said.raw ?? null });
    }
    return { before, after: (await this.find(id, sql)) ?? before, effects };
  }

  /**
   * Ends an action of an older epoch whose row this version cannot read: as `unconfirmed`, which says nothing of what it was or whether it ran. The
   * machine would decide the same, if it could be asked.
   */
  async endUnread(id: string, epoch: number): Promise<void> {
    const note = `${raisedNote(epoch, 'it may have run')}; its row cannot be read by this version of the server`;
    await endUnread(this.#database, id, outcomeNumber('unconfirmed'), note);
  }

  /** Keeps the result of an id that is no action of this host. */
  async keepUnknown(id: string, hostId: string, why: string, raw: unknown): Promise<void> {
    await insertUnknownResult(this.#database, id, hostId, { why, result: raw });
  }
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
