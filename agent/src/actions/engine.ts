import { setTimeout as delay } from 'node:timers/promises';
import {
  ActionPhase,
  type ActionRequest,
  type ActionResult,
  type JournalState,
  Outcome,
  requestDigest,
  requestDigestBeforeSignatures,
} from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { ActionEngine, ActionProgressReport } from './action-engine.ts';
import type { ActionHost, ActionLog } from './action-host.ts';
import { ActionRun, type RunPorts } from './action-run.ts';
import { Attribution } from './attribution.ts';
import { Book } from './book.ts';
import type { ConfirmWindows } from './confirm-windows.ts';
import { CANCELLED, conflict, FULL, hex, ledgerAnswer, LONGEST_LIFE_MS, NOT_BEGUN, TORN } from './engine-answers.ts';
import type { Journal } from './journal/journal.ts';
import { Settler } from './settler.ts';
import { plainResult } from './plain-result.ts';

/** Actions that may wait their turn; a server sends them one after the other, so more is a flood. */
const QUEUE_MAX = 256;

/** How often a journal that cannot be opened is tried again: a disk that was full is noticed within this. */
const REOPEN_MS = 5_000;

/** How long a stop waits for the step under way: most take far less, and a stuck one must not hold up a restart. */
const STOP_WAIT_MS = 5_000;

/** What the engine is made of. */
export interface EngineParts {
  readonly host: ActionHost;
  readonly journal: Journal;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  readonly log: ActionLog;
  /** Waits this long, ms; ends early, by rejecting, when the engine stops. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Undefined: no confirm windows. */
  readonly windows?: ConfirmWindows | undefined;
  /** Told when a step begins and when it ends. */
  readonly onStep?: (actionId: string, kmod: string, begins: boolean) => void;
  /** How long a stop waits for the step under way, ms; asked when it begins to wait. */
  readonly stopWaitMs?: () => number;
}

/**
 * Runs actions, one at a time.
 *
 * INVARIANTS
 * - One lane: recovery of what a crash left open, then actions in the order in which they came. Nothing else calls the host's executors.
 * - An id is looked up in queue, run, cancels under way and ledger before anything is done for it; only `new` is queued.
 * - A result is in the book before anybody hears of it.
 */
export class KmodActionEngine implements ActionEngine {
  readonly #parts: EngineParts;
  readonly #book: Book;
  readonly #attribution: Attribution;
  readonly #ports: RunPorts;
  readonly #settler: Settler;
  readonly #queue: ActionRun[] = [];
  /** Cancelled before their turn; their result is being written. */
  readonly #ending = new Set<ActionRun>();
  /** Cancelled before they came; what they are is being written, and a request that comes meanwhile waits for it. */
  readonly #cancelling = new Map<string, Promise<void>>();
  readonly #besides = new Set<Promise<void>>();
  readonly #progressListeners: ((report: ActionProgressReport) => void)[] = [];
  readonly #resultListeners: ((result: ActionResult) => void)[] = [];
  readonly #stopped = new AbortController();
  #running: ActionRun | undefined;
  #lane: Promise<void> = Promise.resolve();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#book = new Book(parts.journal, parts.log);
    this.#attribution = new Attribution(parts.clock);
    this.#ports = {
      host: parts.host,
      book: this.#book,
      clock: parts.clock,
      serverClock: parts.serverClock,
      log: parts.log,
      tell: (report) => this.#tell(report),
      windows: parts.windows,
      stopped: this.#stopped.signal,
      onStep: (id, kmod, begins) => {
        if (begins) this.#attribution.begin(id, kmod);
        else this.#attribution.end(id, kmod);
        parts.onStep?.(id, kmod, begins);
      },
    };
    this.#settler = new Settler(this.#ports, parts.sleep, this.#stopped.signal, (result) => this.#say(result));
  }

  async start(): Promise<void> {
    await this.#book.ensureOpen();
    this.#inLane(() => this.#settler.settleAll());
    this.#settler.watchStuck((job) => this.#inLane(job));
    this.#retryOpening();
  }

  /**
   * Waits a little for the step under way; if it goes on, the journal has its intent and the next start settles it. What waits its turn is
   * forgotten: the server sends it again.
   */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#queue.length = 0;
    const patience = new AbortController();
    const idle = Promise.all([this.#lane, ...this.#besides]).then(() => true);
    const ended = await Promise.race([
      idle,
      delay(this.#parts.stopWaitMs?.() ?? STOP_WAIT_MS, false, { signal: patience.signal }).catch(() => false),
    ]);
    patience.abort();
    if (!ended) return;
    await this.#book.catchUp();
    await this.#book.close();
  }

  submit(request: ActionRequest): void {
    const digest = this.#digestOf(request);
    const pending = this.#pending(request.actionId);
    if (pending !== undefined) {
      if (pending.digest !== digest) this.#say(conflict(request, digest));
      else
        this.#tell({
          actionId: request.actionId,
          phase: pending.started ? ActionPhase.ACTION_PHASE_STARTED : ActionPhase.ACTION_PHASE_RECEIVED,
        });
      return;
    }
    const cancelling = this.#cancelling.get(request.actionId);
    if (cancelling !== undefined) return this.#beside(() => cancelling.then(() => this.submit(request)));
    if (this.#answerKnown(request, digest)) return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#say(
        plainResult(
          request,
          digest,
          Outcome.OUTCOME_REFUSED,
          'busy',
          `${QUEUE_MAX} actions wait on this host already; nothing was touched`,
        ),
      );
      return;
    }
    this.#queue.push(new ActionRun(request, digest, this.#ports));
    this.#tell({ actionId: request.actionId, phase: ActionPhase.ACTION_PHASE_RECEIVED });
    this.#inLane(() => this.#next());
  }

  /** Whether anything is known of an id; `unsure`: not, but the journal has lost something, or could not be read. */
  knows(actionId: string): 'known' | 'new' | 'unsure' {
    if (this.#pending(actionId) !== undefined || this.#cancelling.has(actionId)) return 'known';
    if (this.#book.ledger.look(actionId, '').kind !== 'new') return 'known';
    return this.#book.hasLost || !this.#book.opened ? 'unsure' : 'new';
  }

  cancel(actionId: string): void {
    if (this.#running?.request.actionId === actionId) return this.#running.cancel();
    const index = this.#queue.findIndex((run) => run.request.actionId === actionId);
    const [run] = index >= 0 ? this.#queue.splice(index, 1) : [];
    if (run !== undefined) {
      // Beside the lane: whoever cancels does not wait for the action that runs.
      this.#ending.add(run);
      this.#beside(async () => {
        this.#say(await run.endWith(CANCELLED, undefined, NOT_BEGUN));
        this.#ending.delete(run);
      });
      return;
    }
    if (this.#pending(actionId) !== undefined || this.#cancelling.has(actionId)) return;
    const done = this.#cancelUnseen(actionId).finally(() => this.#cancelling.delete(actionId));
    this.#cancelling.set(actionId, done);
    this.#beside(() => done);
  }

  /** Resolves when they are put away. A disk that is full holds that up, until there is room or this engine stops. */
  async acknowledge(actionIds: readonly string[]): Promise<void> {
    while (!(await this.#book.catchUp())) {
      try {
        await this.#parts.sleep(REOPEN_MS, this.#stopped.signal);
      } catch {
        return;
      }
      if (this.#stopped.signal.aborted) return;
    }
    await this.#book.acknowledge(actionIds, this.#parts.serverClock.now());
  }

  unacknowledged(): readonly ActionResult[] {
    return this.#book.ledger.unacknowledged();
  }

  openActions(): readonly string[] {
    return this.#book.ledger.openActions().map((open) => open.intent.id);
  }

  /** How many actions are stuck and may still end. */
  stuckActions(): number {
    return this.#book.ledger.stuckActions().length;
  }

  journalState(): JournalState {
    return this.#book.journalState;
  }

  tombstonesDigest(): Uint8Array {
    return this.#book.ledger.tombstonesDigest();
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

  /** A journal that could not be opened at the start can be later: what it holds is settled and said then. */
  async #open(): Promise<void> {
    if (!(await this.#book.ensureOpen())) return this.#closeLeftWindow();
    const unsaid = this.#book.ledger.unacknowledged();
    await this.#settler.settleAll();
    for (const result of unsaid) this.#say(result);
  }

  /** The window of an action whose end could not be written stays until it can. */
  async #closeLeftWindow(): Promise<void> {
    if (this.#book.behind && (await this.#book.catchUp())) await this.#settler.tidy();
  }

  #retryOpening(): void {
    const { sleep } = this.#parts;
    void (async () => {
      while (!this.#book.opened && !this.#book.damaged) {
        await sleep(REOPEN_MS, this.#stopped.signal);
        if (this.#stopped.signal.aborted) return;
        this.#inLane(() => this.#open());
        await this.#lane;
      }
    })().catch(() => undefined);
  }

  async #next(): Promise<void> {
    await this.#open();
    const run = this.#queue.shift();
    if (run === undefined || this.#stopped.signal.aborted || this.#answerKnown(run.request, run.digest)) return;
    if (!this.#book.hasRoom(this.#parts.serverClock.now())) {
      this.#say(plainResult(run.request, run.digest, Outcome.OUTCOME_REFUSED, 'tombstones_full', FULL));
      return;
    }
    this.#running = run;
    try {
      await this.#settler.lookAtStuck();
      this.#say(await run.toEnd());
    } catch (error) {
      // Stopped inside a confirm window: the window's own timer, or the next start, ends it.
      if (this.#stopped.signal.aborted) return;
      this.#parts.log.error({ actionId: run.request.actionId, err: error }, 'the action broke off');
      const known = this.#book.ledger.look(run.request.actionId, run.digest);
      if (known.kind === 'open') await this.#settler.settleAll();
      // Its result is in the book, and is said again at the next Hello.
      else if (known.kind === 'new')
        this.#say(
          plainResult(
            run.request,
            run.digest,
            Outcome.OUTCOME_REFUSED,
            'unsupported',
            `${messageOf(error)}; nothing was touched`,
          ),
        );
    } finally {
      this.#running = undefined;
    }
  }

  /** Answers an id that is known. False for a new one. */
  #answerKnown(request: ActionRequest, digest: string): boolean {
    const known = this.#book.ledger.look(request.actionId, digest);
    switch (known.kind) {
      case 'new':
        if (request.sentBefore !== true || !this.#book.hasLost) return false;
        this.#answerTorn(request, digest);
        return true;
      case 'answered':
        this.#say(known.result);
        return true;
      case 'conflict':
        this.#say(conflict(request, digest));
        return true;
      case 'torn':
        this.#answerTorn(request, digest);
        return true;
      case 'open':
        this.#tell({ actionId: request.actionId, phase: ActionPhase.ACTION_PHASE_STARTED });
        return true;
    }
  }

  #answerTorn(request: ActionRequest, digest: string): void {
    this.#beside(async () => {
      const result = plainResult(request, digest, Outcome.OUTCOME_INTERRUPTED, 'interrupted', TORN);
      await this.#book.putResult(result, digest, request.expiresAtMs);
      this.#say(result);
    });
  }

  /** The id is not here: whoever sends it later finds it cancelled. Only said once that is on disk. */
  async #cancelUnseen(actionId: string): Promise<void> {
    const { ledger } = this.#book;
    const known = ledger.resultOf(actionId);
    if (known !== undefined) return this.#say(known.result);
    const now = this.#parts.serverClock.now();
    const look = ledger.look(actionId, '').kind;
    try {
      if (look !== 'new' || now === undefined) throw new Error(`it is ${look} here`);
      if (this.#book.hasLost) throw new Error('something of the action journal is lost');
      await this.#book.putCancelledUnseen(actionId, now.ms + LONGEST_LIFE_MS);
      this.#say(ledgerAnswer(this.#book.ledger.look(actionId, '')));
    } catch (error) {
      this.#parts.log.warn({ actionId, err: error }, 'the action cannot be cancelled');
      this.#tell({ actionId, phase: ActionPhase.ACTION_PHASE_CANCEL_REFUSED });
    }
  }

  /** An agent of before signatures has this request in its journal under the digest that it knew. */
  #digestOf(request: ActionRequest): string {
    const { ledger } = this.#book;
    const digest = hex(requestDigest(request));
    if (ledger.look(request.actionId, digest).kind !== 'conflict') return digest;
    const older = hex(requestDigestBeforeSignatures(request));
    return ledger.look(request.actionId, older).kind === 'conflict' ? digest : older;
  }

  #pending(actionId: string): ActionRun | undefined {
    const isIt = (run: ActionRun): boolean => run.request.actionId === actionId;
    if (this.#running !== undefined && isIt(this.#running)) return this.#running;
    return this.#queue.find(isIt) ?? [...this.#ending].find(isIt);
  }

  #inLane(job: () => Promise<void>): void {
    this.#lane = this.#lane.then(job).catch((error: unknown) => this.#failed(error));
  }

  /** Only for what touches the book and not the kernel. */
  #beside(job: () => Promise<void>): void {
    const done = job()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#besides.delete(done));
    this.#besides.add(done);
  }

  #failed(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#parts.log.error({ err: error }, 'the action engine failed; an open action is settled at the next start');
  }

  #tell(report: ActionProgressReport): void {
    for (const listener of this.#progressListeners) listener(report);
  }

  #say(result: ActionResult): void {
    for (const listener of this.#resultListeners) listener(result);
  }
}
