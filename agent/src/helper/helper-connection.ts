import type { X509Certificate } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ActionPhase,
  type ActionRequest,
  assertNever,
  type JournalState,
  type Open,
  type TrustBundle,
  isUuid,
} from '@modfleet/proto';
import type { ActionEngine } from '../actions/action-engine.ts';
import type { ActionLog } from '../actions/action-host.ts';
import type { ServerRoute } from '../actions/protection/routes.ts';
import { messageOf } from '../error-words.ts';
import type { BootClock } from '../time/clock.ts';
import type { ConfirmRelay } from './confirm-relay.ts';
import { HelperRefusal } from './helper-refusal.ts';
import type { NewestCommand } from './newest-command.ts';
import type { RelayedServerClock } from './relayed-clock.ts';
import { complaintAboutOrder } from './verify/command-order.ts';
import {
  type Complaint,
  certificatesIn,
  complaintAboutExpiry,
  complaintAboutIds,
  complaintAboutRequest,
  complaintAboutTime,
  complaintAboutWay,
} from './verify/request-grammar.ts';
import type { Verifier } from './verify/verifier.ts';
import { FrameError, FrameReader, MAX_COURIER_FRAME } from './wire/frames.ts';
import { HELPER_PROTOCOL, type HelperKind, NOT_KNOWN } from './wire/protocol.ts';
import { type CourierWord, decodeCourierWord, encodeHelperWord, type HelperWord } from './wire/strict-codec.ts';

/** The courier's first frame follows its connection at once; a busy machine may take a while. */
const OPEN_WITHIN_MS = 20_000;

/**
 * How long one helper takes actions, ms: a busy courier would keep it for ever, and its unit has a limit (RuntimeMaxSec), which may not fall into a step or
 * a confirm window. The limit leaves the longest action its time besides: a test compares the two.
 */
export const SERVES_MS: Readonly<Record<HelperKind, number>> = { act: 1_800_000, evidence: 150_000 };

/** What may wait to be written; a courier that asks and does not read is not served for ever. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

/** An engine for this connection, and what ends with it. */
export interface HelperEngine extends ActionEngine {
  /** Whether an id is known here; `unsure`: not, but the journal has lost something, or cannot be read. */
  knows(actionId: string): 'known' | 'new' | 'unsure';
  stuckActions(): number;
  journalState(): JournalState;
}

/** What is said of steps, and the way to the server as far as it is known. */
export interface EngineTies {
  readonly onStep: (actionId: string, kmod: string, begins: boolean) => void;
  readonly serverRoute: () => ServerRoute | undefined;
}

export interface HelperConnectionParts {
  readonly kind: HelperKind;
  /** From the courier. */
  readonly input: AsyncIterable<Uint8Array>;
  /** To the courier. */
  readonly output: { write(bytes: Uint8Array): boolean; readonly writableLength: number };
  readonly bootClock: BootClock;
  readonly serverClock: RelayedServerClock;
  readonly confirms: ConfirmRelay;
  readonly verifier: Verifier;
  readonly log: ActionLog;
  /**
   * The host that this machine is, and the newest command that it has taken, for a courier that says so.
   *
   * @throws HelperRefusal when it is another one, or nothing may be done here
   */
  readonly admit: (hostId: string, cas: readonly X509Certificate[]) => Promise<NewestCommand>;
  /** Hears, after `admit`, which CAs count, as somebody signed it; judges that. Never rejects: what is known stays. */
  readonly learn: (bundle: TrustBundle) => Promise<void>;
  /** Called once, after `admit`. @throws HelperRefusal */
  readonly createEngine: (hostId: string, ties: EngineTies) => Promise<HelperEngine>;
  /** Aborted when this program is told to end. */
  readonly signal: AbortSignal;
}

/**
 * One connection of a courier, from its first byte to the end of what it began.
 *
 * INVARIANTS
 * - Nothing of a frame is used before the whole frame was decoded strictly and all its fields were checked.
 * - The first frame is Open; before it was admitted there is no engine, and so nothing that could touch the kernel.
 * - A bad frame is answered (Refused), and ends the connection; a bad request is answered (Rejected), and is not written anywhere.
 * - What is begun was signed by the server for this host, is newer than all that was taken before, and is noted as the newest before it begins.
 * - When the courier goes, what has begun is brought to its end; the next connection finds it in the journal.
 * - After `SERVES_MS` it begins nothing more and goes, between two actions and never inside one; what waited is asked again of the next helper.
 */
export class HelperConnection {
  readonly #parts: HelperConnectionParts;
  readonly #reader = new FrameReader(MAX_COURIER_FRAME);
  #engine: HelperEngine | undefined;
  #newest: NewestCommand | undefined;
  #route: ServerRoute | undefined;
  #lastBook = '';
  #closed = false;
  #stopping: Promise<void> | undefined;
  readonly #openedMs: number;
  /** Requests that have no result yet, and those of them that have begun: such a result comes between two actions. */
  readonly #waiting = new Set<string>();
  readonly #begun = new Set<string>();
  /** Aborted when this helper has served for long enough. */
  readonly #served = new AbortController();

  constructor(parts: HelperConnectionParts) {
    this.#parts = parts;
    this.#openedMs = parts.bootClock.nowMs();
    parts.confirms.onWanted((wanted) => this.#say({ $case: 'confirmWanted', value: wanted }));
  }

  /** Serves until the courier closes, a frame is bad, or the program ends. Never rejects. */
  async run(): Promise<void> {
    const patience = new AbortController();
    const tooLate = delay(OPEN_WITHIN_MS, 'late' as const, { signal: patience.signal, ref: false }).catch(
      () => 'opened' as const,
    );
    const words = this.#words();
    try {
      const first = await Promise.race([words.next(), tooLate, aborted(this.#parts.signal)]);
      if (first === 'late') throw new FrameError('no first frame came');
      if (first === 'opened' || first === 'aborted' || first.done === true) return;
      patience.abort();
      if (first.value.$case !== 'open') throw new FrameError(`${first.value.$case} before open`);
      await this.#open(first.value.value);
      const over = aborted(AbortSignal.any([this.#parts.signal, this.#served.signal]));
      for (;;) {
        const next = await Promise.race([words.next(), over]);
        if (next === 'aborted' || next.done === true) return;
        await this.#handle(next.value);
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      patience.abort();
      this.#closed = true;
      this.#parts.confirms.close();
      await this.#stop();
    }
  }

  #stop(): Promise<void> {
    this.#stopping ??= this.#engine?.stop() ?? Promise.resolve();
    return this.#stopping;
  }

  /** Nothing runs, waits, or is settled. */
  #isIdle(engine: HelperEngine): boolean {
    return this.#parts.kind === 'evidence' || (this.#waiting.size === 0 && engine.openActions().length === 0);
  }

  /** Called between two actions: stopped inside one, an engine leaves its confirm window to the timer. */
  #retireWhenServed(): void {
    const { bootClock, kind, log } = this.#parts;
    if (this.#served.signal.aborted || bootClock.nowMs() < this.#openedMs + SERVES_MS[kind]) return;
    log.info({}, 'this helper has served for long enough: the next one goes on');
    this.#served.abort();
    void this.#stop();
  }

  async *#words(): AsyncGenerator<CourierWord, void> {
    // Not for-await: leaving that would destroy the stream, and with it the way back for the refusal.
    const chunks = this.#parts.input[Symbol.asyncIterator]();
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      for (const message of this.#reader.push(next.value)) yield decodeCourierWord(message);
    }
    if (this.#reader.isInside) throw new FrameError('the connection ended inside a frame');
  }

  async #open(open: Open): Promise<void> {
    if (open.protocol !== HELPER_PROTOCOL) {
      const message = `the courier speaks protocol ${open.protocol}, the helper ${HELPER_PROTOCOL}: restart the agent`;
      throw new HelperRefusal('protocol', message);
    }
    if (!isUuid(open.hostId)) throw new FrameError('open: its host id is no UUID');
    this.#takeTime(open.time);
    this.#takeWay(open.way);
    this.#newest = await this.#parts.admit(open.hostId, casIn(open));
    if (open.trust !== undefined) await this.#parts.learn(open.trust);
    const engine = await this.#parts.createEngine(open.hostId, {
      serverRoute: () => this.#route,
      onStep: (actionId, kmod, begins) => this.#say({ $case: 'step', value: { actionId, kmod, begins } }),
    });
    this.#engine = engine;
    engine.onProgress(({ actionId, phase, verdict, confirmDeadlineMs = 0 }) => {
      if (phase === ActionPhase.ACTION_PHASE_STARTED) this.#begun.add(actionId);
      this.#say({ $case: 'progress', value: { actionId, phase, verdict, confirmDeadlineMs } });
      this.#sayBook(engine);
    });
    engine.onResult((result) => {
      this.#say({ $case: 'result', value: result });
      this.#sayBook(engine);
      // What waits its turn is forgotten before it begins.
      this.#waiting.delete(result.actionId);
      if (this.#begun.delete(result.actionId) || this.#isIdle(engine)) this.#retireWhenServed();
    });
    await engine.start();
    this.#say({ $case: 'ready', value: { protocol: HELPER_PROTOCOL, acts: this.#parts.kind === 'act' } });
    for (const result of engine.unacknowledged()) this.#say({ $case: 'result', value: result });
    this.#sayBook(engine);
  }

  async #handle(word: CourierWord): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) throw new FrameError(`${word.$case} before open`);
    switch (word.$case) {
      case 'open':
        throw new FrameError('open twice');
      case 'submit':
        return this.#submit(engine, word.value);
      case 'cancel':
        mustBe('cancel', complaintAboutIds([word.value.actionId]));
        engine.cancel(word.value.actionId);
        return;
      case 'acknowledge':
        mustBe('acknowledge', complaintAboutIds(word.value.actionIds));
        void this.#acknowledge(engine, word.value.actionIds);
        return;
      case 'confirmAnswered':
        mustBe('confirm', complaintAboutIds([word.value.actionId]));
        this.#parts.confirms.answered(word.value);
        return;
      case 'time':
        this.#takeTime(word.value);
        return;
      case 'way':
        this.#takeWay(word.value);
        return;
      case 'trust':
        return this.#parts.learn(word.value);
      default:
        assertNever(word);
    }
  }

  async #submit(engine: HelperEngine, request: ActionRequest): Promise<void> {
    const complaint = (await this.#complaintAbout(request)) ?? (await this.#complaintAboutTaking(engine, request));
    if (complaint === undefined) {
      if (this.#isIdle(engine)) this.#retireWhenServed();
      if (this.#served.signal.aborted) return;
      this.#waiting.add(request.actionId);
      return engine.submit(request);
    }
    const known = engine.knows(request.actionId);
    // What was done is told to whoever asks; nothing begins by that.
    if (known === 'known') return engine.submit(request);
    const { message } = complaint;
    this.#parts.log.warn({ kmod: request.kmod, reason: message }, 'a request of the courier was not taken');
    // It may have been done: nobody knows, so nothing is claimed.
    const code = known === 'unsure' && request.sentBefore === true ? NOT_KNOWN : complaint.code;
    this.#say({ $case: 'rejected', value: { actionId: request.actionId, code, message } });
  }

  /** Why this is not what the server asked of this host. */
  async #complaintAbout(request: ActionRequest): Promise<Rejection | undefined> {
    const { kind, serverClock, verifier } = this.#parts;
    const message =
      complaintAboutRequest(request) ??
      complaintAboutExpiry(request, serverClock.now()?.ms) ??
      (kind === 'evidence' && !request.dryRun ? 'this helper only looks: it takes dry runs' : undefined);
    if (message !== undefined) return { code: 'unsupported', message };
    const verified = await verifier.verify(request);
    return verified.kind === 'ok' ? undefined : verified;
  }

  /** Takes a new command: in its order, and noted. Why it is not taken. */
  async #complaintAboutTaking(engine: HelperEngine, request: ActionRequest): Promise<Rejection | undefined> {
    const known = engine.knows(request.actionId);
    // The engine answers what it knows, and does not begin what it may have forgotten.
    if (known === 'known' || (known === 'unsure' && request.sentBefore === true)) return undefined;
    const complaint = complaintAboutOrder(request, this.#newest?.get(), this.#parts.kind);
    if (complaint !== undefined || this.#parts.kind === 'evidence') return complaint;
    try {
      await this.#newest?.keep(request);
      return undefined;
    } catch (error) {
      return {
        code: 'command_unkept',
        message: `this host cannot note that it takes this command (${messageOf(error)}), and begins none that it cannot note`,
      };
    }
  }

  /** Beside what else is said: a disk that is full holds it up. Also one that changed nothing is answered. */
  async #acknowledge(engine: HelperEngine, actionIds: readonly string[]): Promise<void> {
    await engine.acknowledge(actionIds).catch((error: unknown) => {
      this.#parts.log.error({ err: error }, 'acknowledged results cannot be put away; they are sent again');
    });
    this.#lastBook = '';
    this.#sayBook(engine);
  }

  #takeTime(reading: Open['time']): void {
    if (reading === undefined) return;
    mustBe('time', complaintAboutTime(reading, this.#parts.bootClock.nowMs()));
    this.#parts.serverClock.set(reading);
  }

  #takeWay(way: Open['way']): void {
    if (way === undefined) return;
    mustBe('way', complaintAboutWay(way));
    const { remoteAddress, localAddress } = way;
    this.#route = localAddress === '' ? { remoteAddress } : { remoteAddress, localAddress };
  }

  #sayBook(engine: HelperEngine): void {
    const book = {
      unacknowledged: engine.unacknowledged().map((result) => result.actionId),
      open: [...engine.openActions()],
      stuck: engine.stuckActions(),
      tombstonesDigest: Buffer.from(engine.tombstonesDigest()),
      journal: engine.journalState(),
      newestCommand: this.#newest?.get(),
    };
    const text = JSON.stringify(book);
    if (text === this.#lastBook) return;
    this.#lastBook = text;
    this.#say({ $case: 'book', value: book });
  }

  #refuse(error: unknown): void {
    const refusal =
      error instanceof HelperRefusal
        ? error
        : error instanceof FrameError
          ? new HelperRefusal(error.code, error.message)
          : new HelperRefusal('failed', messageOf(error));
    this.#parts.log.warn({ code: refusal.code }, `the connection is refused: ${refusal.message}`);
    this.#say({ $case: 'refused', value: { code: refusal.code, message: refusal.message.slice(0, 1_000) } });
  }

  #say(word: HelperWord): void {
    const { output } = this.#parts;
    if (this.#closed || output.writableLength > MAX_UNREAD_BYTES) return;
    output.write(encodeHelperWord(word));
  }
}

/** Why a request is not taken. */
interface Rejection {
  readonly code: string;
  readonly message: string;
}

/** @throws FrameError */
function casIn(open: Open): readonly X509Certificate[] {
  const cas = certificatesIn(open.caCertificates);
  if (typeof cas === 'string') throw new FrameError(`open: ${cas}`);
  return cas;
}

/** @throws FrameError */
function mustBe(what: string, complaint: Complaint): void {
  if (complaint !== undefined) throw new FrameError(`${what}: ${complaint}`);
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
