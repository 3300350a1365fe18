import {
  ActionPhase,
  type ActionRequest,
  type ActionResult,
  ConfirmAnswerKind,
  type ConfirmWanted,
  JournalState,
  Outcome,
  requestDigest,
  type TimeReading,
  type TrustBundle,
} from '@modfleet/proto';
import type { ActionEngine, ActionProgressReport } from '../actions/action-engine.ts';
import type { ActionLog } from '../actions/action-host.ts';
import { Attribution } from '../actions/attribution.ts';
import { plainResult } from '../actions/plain-result.ts';
import type { ServerRoute } from '../actions/protection/routes.ts';
import type { Confirmer } from '../confirm/confirmer.ts';
import { HELPER_PROTOCOL, type HelperKind } from '../helper/wire/protocol.ts';
import type { CourierWord } from '../helper/wire/strict-codec.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import { HelperLane } from './helper-lane.ts';
import type { HelperLink, OpenLink } from './helper-link.ts';
import type { NotTaken, Timers } from './lane-parts.ts';

/** Before this, a reading of the server's time is told anew to a helper that is still at work: it counts 5 minutes, ms. */
const TELL_TIME_EVERY_MS = 60_000;

export interface HelperEngineParts {
  readonly openLink: OpenLink;
  readonly hostId: string;
  /** CA certificates of the server, DER: told to a helper that knows none yet. */
  readonly authorities: () => readonly Buffer[];
  /** The bundle that this agent took last, as the server signed it: the helper judges it by itself. */
  readonly trust: () => TrustBundle | undefined;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  /** The addresses of the session, while there is one. */
  readonly serverRoute: () => ServerRoute | undefined;
  /** Asks the server for a confirm, over a connection of its own. */
  readonly confirmer: Confirmer;
  readonly log: ActionLog;
  readonly timers?: Timers;
}

/**
 * Actions as the courier sees them: carried to the helper, and its answers carried back. Decides nothing, writes nothing.
 *
 * INVARIANTS
 * - A dry run goes to the helper that only looks; everything else to the one that acts.
 * - Without a helper a request is refused, in so many words, unless it was sent before: then nothing is said of it; heartbeats, inventory and queries go on.
 */
export class HelperEngine implements ActionEngine {
  readonly #parts: HelperEngineParts;
  readonly #act: HelperLane;
  readonly #evidence: HelperLane;
  readonly #attribution: Attribution;
  /** Refusals of the courier's own: no helper has them. */
  readonly #own = new Map<string, ActionResult>();
  readonly #stopped = new AbortController();
  readonly #timers: Timers;
  #timeTimer: unknown;
  #journal: JournalState = JournalState.JOURNAL_STATE_UNSPECIFIED;
  #heardBook: () => void = () => undefined;
  readonly #firstBook = new Promise<void>((resolve) => (this.#heardBook = resolve));
  readonly #progressListeners: ((report: ActionProgressReport) => void)[] = [];
  readonly #resultListeners: ((result: ActionResult) => void)[] = [];

  constructor(parts: HelperEngineParts) {
    this.#parts = parts;
    this.#timers = parts.timers ?? UNREFERENCED;
    this.#attribution = new Attribution(parts.clock);
    this.#act = this.#lane('act');
    this.#evidence = this.#lane('evidence');
  }

  /** Has the helper settle what a crash left open. Does not wait for it: a helper that cannot start keeps no host silent. */
  start(): Promise<void> {
    this.#act.settle();
    this.#tellTime();
    return Promise.resolve();
  }

  /** A helper at work goes on to the end of what it began; the next start hears of it. */
  stop(): Promise<void> {
    this.#stopped.abort(new Error('the agent stops'));
    this.#timers.clear(this.#timeTimer);
    this.#act.stop();
    this.#evidence.stop();
    return Promise.resolve();
  }

  submit(request: ActionRequest): void {
    const own = this.#own.get(request.actionId);
    if (own !== undefined) return this.#say(own);
    this.#laneOf(request).submit(request);
  }

  cancel(actionId: string): void {
    const own = this.#own.get(actionId);
    if (own !== undefined) this.#say(own);
    else if (this.#evidence.has(actionId)) this.#evidence.cancel(actionId);
    else this.#act.cancel(actionId);
  }

  acknowledge(actionIds: readonly string[]): Promise<void> {
    for (const id of actionIds) this.#own.delete(id);
    this.#act.acknowledge(actionIds);
    this.#evidence.acknowledge(actionIds);
    return Promise.resolve();
  }

  unacknowledged(): readonly ActionResult[] {
    return [...this.#act.results(), ...this.#evidence.results(), ...this.#own.values()];
  }

  openActions(): readonly string[] {
    return this.#act.book?.open ?? [];
  }

  /** The worst that a helper has told since this agent started: the one that finds a damage mends it, and the next one sees nothing of it. */
  journalState(): JournalState {
    return this.#journal;
  }

  tombstonesDigest(): Uint8Array {
    return this.#act.book?.tombstonesDigest ?? new Uint8Array(32);
  }

  newestCommand(): ActionRequest | undefined {
    return this.#act.book?.newestCommand;
  }

  /** Resolves when the helper has told its book, and after `ms` at the latest. */
  async firstBook(ms: number): Promise<void> {
    let timer: unknown;
    await Promise.race([this.#firstBook, new Promise<void>((resolve) => (timer = this.#timers.set(resolve, ms)))]);
    this.#timers.clear(timer);
  }

  onProgress(listener: (report: ActionProgressReport) => void): void {
    this.#progressListeners.push(listener);
  }

  onResult(listener: (result: ActionResult) => void): void {
    this.#resultListeners.push(listener);
  }

  attributionOf(kmod: string): string | undefined {
    return this.#attribution.of(kmod);
  }

  /** The way to the server is another one: what carries it is protected. */
  wayChanged(): void {
    const { way } = this.#open();
    if (way === undefined) return;
    this.#act.tell({ $case: 'way', value: way });
    this.#evidence.tell({ $case: 'way', value: way });
  }

  /** There is another bundle: the helper that acts learns it now, not with the next action only. */
  trustChanged(): void {
    this.#act.trustChanged();
  }

  #laneOf({ dryRun }: ActionRequest): HelperLane {
    return dryRun ? this.#evidence : this.#act;
  }

  #lane(kind: HelperKind): HelperLane {
    const { log } = this.#parts;
    return new HelperLane({
      kind,
      openLink: (which) => this.#openLink(which),
      log,
      timers: this.#timers,
      open: () => this.#open(),
      onProgress: (report) => this.#tell(report),
      onResult: (result) => this.#say(result),
      onStep: (id, kmod, begins) => (begins ? this.#attribution.begin(id, kmod) : this.#attribution.end(id, kmod)),
      onConfirmWanted: (wanted, answer) => void this.#confirm(wanted, answer),
      onNotTaken: (request, why) => this.#notTaken(request, why),
      onCancelRefused: (actionId) => this.#tell({ actionId, phase: ActionPhase.ACTION_PHASE_CANCEL_REFUSED }),
    });
  }

  async #openLink(kind: HelperKind): Promise<HelperLink> {
    const link = await this.#parts.openLink(kind);
    link.onWord((word) => {
      if (kind !== 'act' || word.$case !== 'book') return;
      if (word.value.journal > this.#journal) this.#journal = word.value.journal;
      this.#heardBook();
    });
    return link;
  }

  #open(): Extract<CourierWord, { $case: 'open' }>['value'] {
    const { hostId, authorities, trust, serverRoute } = this.#parts;
    const route = serverRoute();
    const way =
      route === undefined ? undefined : { remoteAddress: route.remoteAddress, localAddress: route.localAddress ?? '' };
    const caCertificates = [...authorities()];
    return { protocol: HELPER_PROTOCOL, hostId, time: this.#time(), way, caCertificates, trust: trust() };
  }

  #time(): TimeReading | undefined {
    const now = this.#parts.serverClock.now();
    if (now === undefined) return undefined;
    const boottimeMs = this.#parts.clock.nowMs();
    return { serverTimeMs: Math.round(now.ms), errorMs: Math.ceil(now.errorMs) + 1, boottimeMs };
  }

  #tellTime(): void {
    this.#timeTimer = this.#timers.set(() => {
      const time = this.#time();
      if (time !== undefined) this.#act.tell({ $case: 'time', value: time });
      this.#tellTime();
    }, TELL_TIME_EVERY_MS);
  }

  async #confirm(wanted: ConfirmWanted, answer: (word: CourierWord) => void): Promise<void> {
    const { actionId, timeoutMs, attempt } = wanted;
    const said = await this.#parts.confirmer
      .confirm(actionId, timeoutMs, this.#stopped.signal)
      .catch((error: unknown) => ({ kind: 'unreachable' as const, message: String(error) }));
    const kind = {
      confirmed: ConfirmAnswerKind.CONFIRM_ANSWER_KIND_CONFIRMED,
      refused: ConfirmAnswerKind.CONFIRM_ANSWER_KIND_REFUSED,
      unreachable: ConfirmAnswerKind.CONFIRM_ANSWER_KIND_UNREACHABLE,
    }[said.kind];
    const detail = said.kind === 'confirmed' ? said.from : said.message;
    answer({ $case: 'confirmAnswered', value: { actionId, kind, detail, attempt } });
  }

  #notTaken(request: ActionRequest, { code, message, looked }: NotTaken): void {
    const { actionId } = request;
    if (request.sentBefore === true && !looked) {
      // A helper may have done it already, and this one has not looked: that nothing was touched cannot be said.
      this.#parts.log.warn({ actionId }, `an action that was sent before is not answered now: ${message}`);
      return;
    }
    const digest = Buffer.from(requestDigest(request)).toString('hex');
    const words = `${message}; nothing was touched`;
    const result = {
      ...plainResult(request, digest, Outcome.OUTCOME_REFUSED, code, words),
      finishedAtMs: Math.round(this.#parts.serverClock.now()?.ms ?? 0),
    };
    this.#own.set(actionId, result);
    this.#say(result);
  }

  #tell(report: ActionProgressReport): void {
    for (const listener of this.#progressListeners) listener(report);
  }

  #say(result: ActionResult): void {
    for (const listener of this.#resultListeners) listener(result);
  }
}

const UNREFERENCED: Timers = {
  set: (work, ms) => setTimeout(work, ms).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};
