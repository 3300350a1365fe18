import type { HostFacts } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Inquiry } from '../identity/certificate-keeper.ts';
import { adviceFor, CLOCK_TOLERANCE_MS, clockWords } from '../identity/diagnosis-words.ts';
import { SuspendWatch } from '../time/suspend-watch.ts';
import { EventBuffer } from './event-buffer.ts';
import { diagnosed, planRetry, shouldDiagnose } from './retry.ts';
import type { RetryState } from './retry.ts';
import { wordsFor } from './session-end.ts';
import type { SessionEnd } from './session-end.ts';
import { Session } from './session.ts';
import type { SessionParts } from './session.ts';
import type { Connect, ConnectionAddresses } from './transport.ts';

/** How often the facts are read again while connected, ms: a host is renamed rarely. */
const FACTS_EVERY_MS = 60_000;

export interface SupervisorParts extends Omit<SessionParts, 'events'> {
  readonly connect: Connect;
  readonly readFacts: () => Promise<HostFacts>;
  /** Asks the identity listener how it sees this host, and for another certificate where that may help. */
  readonly inquire: () => Promise<Inquiry>;
  /** How far this machine's clock is ahead of the server's time, ms; undefined where that is not known. */
  readonly clockAheadMs: () => number | undefined;
  /** The server's address changed: what carries the agent's connection is protected. */
  readonly onConnected?: (addresses: ConnectionAddresses | undefined) => void;
  /** A session, or the attempt at one, has ended. */
  readonly onEnded?: () => void;
}

/** Keeps one session open as long as the agent lives. */
export class SessionSupervisor {
  readonly #parts: SupervisorParts;
  readonly #events: EventBuffer;
  readonly #suspendWatch: SuspendWatch;
  readonly #stop = new AbortController();
  #current: Session | undefined;
  #wakeUp: () => void = () => undefined;
  #bootId: string | undefined;
  #renewedFor: string | undefined;
  /** Boot time until when the running session may stay with the certificate before. */
  #moveByMs: number | undefined;

  constructor(parts: SupervisorParts) {
    const { inventory, engine, bootClock, serverClock, log } = parts;
    this.#parts = parts;
    this.#events = new EventBuffer(bootClock);
    this.#suspendWatch = new SuspendWatch(bootClock, (sleptMs) => {
      log.info({ sleptMs }, 'the machine slept');
      serverClock.void();
      this.#current?.resumed();
      this.#wakeUp();
    });
    inventory.onChange((changed) => this.#current?.changed(changed));
    inventory.onKmodEvents((events) => {
      this.#events.push(events);
      this.#current?.eventsWaiting();
    });
    engine.onProgress((report) => this.#current?.progress(report));
    engine.onResult((result) => {
      this.#current?.result(result);
      // The network may have gone and come back: an old connection can stall for longer than a new one takes. What was said is said again.
      // Once for each action: its result is said again over the new session.
      if (result.confirm === undefined || this.#renewedFor === result.actionId) return;
      this.#renewedFor = result.actionId;
      this.reconnect();
    });
  }

  /** Connects, and again, until `stop`. */
  async run(): Promise<void> {
    const { log, bootClock, random } = this.#parts;
    let state: RetryState = { failures: 0 };
    this.#suspendWatch.start();
    while (!this.#stop.signal.aborted) {
      const end = await this.#attempt();
      this.#parts.onEnded?.();
      if (end.kind === 'stopped') break;
      let hopeless = false;
      if (shouldDiagnose(end, state, bootClock.nowMs())) {
        log.warn({ end: end.kind }, wordsFor(end));
        const { renewed, ...found } = await this.#inquire();
        hopeless = found.hopeless;
        // With a new certificate it begins anew; what may be wrong then is asked about at once.
        state = renewed ? { failures: 0 } : diagnosed(state, bootClock.nowMs());
      }
      const plan = planRetry(end, state, hopeless, random());
      state = plan.state;
      const level = end.kind === 'renewed' ? 'info' : 'warn';
      log[level]({ end: end.kind, retryInMs: Math.round(plan.delayMs) }, wordsFor(end));
      await this.#sleep(plan.delayMs);
    }
    this.#suspendWatch.stop();
  }

  /** Ends the present session for another one; what waits for the next attempt waits no longer. */
  reconnect(): void {
    this.#current?.renew('network');
    this.#wakeUp();
  }

  /** There is a new certificate: the running session moves to it in a quiet moment, within so long. */
  certificateRenewed(withinMs: number): void {
    if (this.#current === undefined) return;
    this.#moveByMs = this.#parts.bootClock.nowMs() + withinMs;
    this.#moveWhenQuiet();
  }

  /** Ends the session, and `run`. */
  stop(): void {
    this.#stop.abort();
    this.#current?.stop();
    this.#wakeUp();
  }

  async #attempt(): Promise<SessionEnd> {
    const { connect, readFacts, serverClock, log } = this.#parts;
    let factsTimer: NodeJS.Timeout | undefined;
    try {
      const facts = await readFacts();
      if (this.#bootId !== undefined && this.#bootId !== facts.bootId) {
        log.warn({ before: this.#bootId, now: facts.bootId }, 'the boot id changed under a running agent');
        serverClock.void();
      }
      this.#bootId = facts.bootId;
      const transport = await connect();
      if (this.#stop.signal.aborted) {
        transport.close();
        return { kind: 'stopped' };
      }
      const session = new Session(
        { ...this.#parts, events: this.#events, onWelcome: () => this.#parts.onConnected?.(transport.addresses()) },
        transport,
      );
      this.#current = session;
      this.#moveByMs = undefined;
      factsTimer = setInterval(() => void this.#refreshFacts(session, facts), FACTS_EVERY_MS);
      return await session.run(facts);
    } catch (error) {
      return {
        kind: 'failed',
        welcomed: false,
        code: 2,
        details: messageOf(error),
      };
    } finally {
      clearInterval(factsTimer);
      this.#current = undefined;
    }
  }

  /** Nothing is lost by moving at any time; but who watches an action should not see its host go. */
  #moveWhenQuiet(): void {
    const { engine, bootClock } = this.#parts;
    if (this.#moveByMs === undefined) return;
    if (engine.openActions().length === 0 || bootClock.nowMs() >= this.#moveByMs) this.#current?.renew('certificate');
  }

  async #refreshFacts(session: Session, announced: HostFacts): Promise<void> {
    this.#moveWhenQuiet();
    try {
      const facts = await this.#parts.readFacts();
      if (JSON.stringify(facts) === JSON.stringify(announced)) return;
      Object.assign(announced, facts);
      session.factsChanged(facts);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the facts of this machine cannot be read');
    }
  }

  /** Asks what is wrong, and says it. `hopeless`: only a person can help. */
  async #inquire(): Promise<{ readonly hopeless: boolean; readonly renewed: boolean }> {
    const { inquire, clockAheadMs, log } = this.#parts;
    try {
      const inquiry = await inquire();
      const aheadMs = clockAheadMs() ?? 0;
      if (Math.abs(aheadMs) > CLOCK_TOLERANCE_MS) log.warn(clockWords(aheadMs));
      const advice = adviceFor(inquiry);
      log[advice.level]({ identityStatus: inquiry.status }, advice.words);
      return { hopeless: !advice.retrySoon, renewed: inquiry.renewed };
    } catch (error) {
      log.warn(`no diagnosis: ${messageOf(error)}`);
      return { hopeless: false, renewed: false };
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#stop.signal.aborted) this.#wakeUp();
    });
  }
}
