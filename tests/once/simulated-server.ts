import { type ActionResult, assertNever, type OutcomeWord, requestDigest } from '@modfleet/proto';
import {
  type ActionEvent,
  type ActionSnapshot,
  decide,
  type Decision,
} from '../../services/server/src/actions/action.machine.ts';
import {
  isAbout,
  toProgressEvent,
  toReport,
  toUnsignedRequest,
} from '../../services/server/src/actions/action.mapper.ts';
import type { NewAction } from '../../services/server/src/actions/action.model.ts';
import {
  type DispatchRow,
  nextSweep,
  nextToSend,
  pendingOf,
  sayAgain,
  whyApart,
} from '../../services/server/src/actions/dispatch.rules.ts';
import { HostWork } from '../../services/server/src/actions/host-work.ts';
import type { ToAgent, ToServer } from './frames.ts';
import { SimulatedProcess } from './process.ts';

/** A row of the table `action`. */
export interface Row extends DispatchRow {
  readonly request: NewAction;
  readonly requestDigest: Uint8Array;
  /** Every outcome it had, in order, with those by resolution. */
  readonly words: readonly OutcomeWord[];
}

/** What Postgres keeps. It outlives every server process. */
export class Tables {
  readonly rows = new Map<string, Row>();
  /** Results that are none of an action: id and why. */
  readonly apart: string[] = [];
  frozen = false;
  /** Of the newest session. */
  sessionNo = 0;
}

/** What a server process talks to. */
export interface ServerWorld {
  /** Postgres's time, ms since the epoch. */
  now(): number;
  /** False when there is no connection. */
  send(frame: ToAgent): boolean;
  connected(): boolean;
}

/**
 * One server process: what dispatcher, intake and sweeper do, over the real machine and the real rules. A transaction is one moment here, as in
 * Postgres; between a transaction and what follows it the process can die.
 */
export class SimulatedServer {
  readonly process = new SimulatedProcess();
  readonly #tables: Tables;
  readonly #world: ServerWorld;
  readonly #work: HostWork;
  #owed = false;

  constructor(tables: Tables, world: ServerWorld) {
    this.#tables = tables;
    this.#world = world;
    this.#work = new HostWork((_host, fromStart) => this.#round(fromStart));
  }

  create(request: Row['request']): void {
    const now = new Date(this.#world.now());
    this.#tables.rows.set(request.id, {
      id: request.id,
      request,
      requestDigest: requestDigest(toUnsignedRequest(request)),
      words: [],
      state: 'queued',
      outcome: null,
      resolvedOutcome: null,
      createdAt: now,
      epoch: request.epoch,
      expiresAt: request.expiresAt,
      dispatchedAt: null,
      startedAt: null,
      endedAt: null,
      resolvedAt: null,
      cancelRequestedAt: null,
      cancelledBy: null,
      confirmWindowSeconds: request.confirmWindowSeconds,
      confirmDeadline: null,
      confirmOfferedAt: null,
      confirmPeer: null,
    });
    this.wake();
  }

  cancel(id: string): void {
    const decision = this.#apply(id, { kind: 'cancel', by: 'ops' });
    if (decision?.effects.some((effect) => effect.kind === 'send_cancel'))
      this.#world.send({ kind: 'cancel', actionId: id });
  }

  wake(): void {
    this.#work.request(HOST, false);
  }

  connected(): void {
    this.#work.request(HOST, true);
  }

  /** What happens because time passes. */
  sweep(): void {
    for (const row of this.#tables.rows.values()) {
      const due = nextSweep(row)?.getTime();
      if (due === undefined || due > this.#world.now()) continue;
      const decision = this.#apply(row.id, { kind: 'sweep' });
      if (decision?.effects.some((effect) => effect.kind === 'advance_queue')) this.wake();
    }
    if (this.#owed) this.connected();
    this.wake();
  }

  async take(frame: ToServer, sessionNo: number): Promise<void> {
    switch (frame.kind) {
      case 'beat':
        this.#world.send({ kind: 'time', serverTimeMs: this.#world.now(), boottimeMs: frame.boottimeMs });
        return;
      case 'progress': {
        const event = toProgressEvent(frame.phase);
        if (event !== undefined) this.#apply(frame.actionId, event);
        return;
      }
      case 'result':
        return this.#result(frame.result, sessionNo);
      default:
        assertNever(frame);
    }
  }

  async #result(result: ActionResult, sessionNo: number): Promise<void> {
    await this.process.point();
    if (this.#tables.sessionNo > sessionNo) return;
    const row = this.#tables.rows.get(result.actionId);
    const known = row === undefined ? undefined : { hostId: row.request.hostId };
    const apart = whyApart(
      known,
      HOST,
      () => row !== undefined && isAbout(result, row, () => toUnsignedRequest(row.request)),
    );
    if (apart !== undefined) this.#tables.apart.push(`${result.actionId}: ${apart}`);
    else if (
      this.#apply(result.actionId, { kind: 'result', ...toReport(result) })?.effects.some(
        (one) => one.kind === 'advance_queue',
      )
    )
      this.wake();
    await this.process.point();
    this.#world.send({ kind: 'ack', actionIds: [result.actionId] });
  }

  async #round(fromStart: boolean): Promise<void> {
    await this.process.point();
    if (!this.#world.connected()) return;
    if (fromStart) await this.#sayAgain();
    else await this.#sendNext();
  }

  async #sayAgain(): Promise<void> {
    const { owed, say, thenNext } = sayAgain(pendingOf([...this.#tables.rows.values()], this.#ground()));
    this.#owed = owed;
    for (const { kind, id } of say) {
      await this.process.point();
      if (kind === 'request' && this.#tables.frozen) {
        this.#owed = true;
        return;
      }
      const row = this.#tables.rows.get(id);
      const frame: ToAgent | undefined =
        kind === 'cancel'
          ? { kind, actionId: id }
          : row && { kind, request: { ...toUnsignedRequest(row.request), sentBefore: true } };
      if (frame !== undefined && !this.#world.send(frame)) return;
    }
    if (thenNext) await this.#sendNext();
  }

  async #sendNext(): Promise<void> {
    const id = nextToSend([...this.#tables.rows.values()], this.#ground());
    const row = id === undefined ? undefined : this.#tables.rows.get(id);
    if (row === undefined) return;
    this.#apply(row.id, { kind: 'dispatch' });
    await this.process.point();
    if (!this.#world.send({ kind: 'request', request: toUnsignedRequest(row.request) }))
      this.#apply(row.id, { kind: 'not_sent' });
  }

  #ground() {
    return {
      now: new Date(this.#world.now()),
      frozen: this.#tables.frozen,
      hostReady: this.#world.connected(),
      epoch: EPOCH,
    };
  }

  #apply(id: string, event: ActionEvent): Decision | undefined {
    const row = this.#tables.rows.get(id);
    if (row === undefined) return undefined;
    const decision = decide(row, event, new Date(this.#world.now()));
    for (const effect of decision.effects)
      if (effect.kind === 'keep_result_apart') this.#tables.apart.push(`${id}: ${effect.why}`);
    this.#tables.rows.set(id, { ...row, ...decision.next, words: wordsAfter(row, decision.next) });
    return decision;
  }
}

/** Of commands: nobody raises it here. Nor does anybody sign: whom a helper believes is tested where it is decided (agent/src/helper). */
export const EPOCH = 1;

/** The one host of this world. */
export const HOST = '00000000-0000-4000-8000-000000000001';

function wordsAfter(row: Row, { outcome, resolvedOutcome }: ActionSnapshot): readonly OutcomeWord[] {
  const word = resolvedOutcome ?? outcome;
  return word === null || (row.resolvedOutcome ?? row.outcome) === word ? row.words : [...row.words, word];
}
