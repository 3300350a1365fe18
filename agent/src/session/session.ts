/**
 * One connection, from Hello to its end.
 *
 * INVARIANTS
 * - Hello is the first message out, Welcome the first in; nothing else goes out before Welcome came.
 * - One writer: only `#pump` sends, one message at a time, and waits whenever the stream does.
 * - Nothing here decides about actions: the engine has journalled what matters, and a lost message is said again over the next connection.
 * - `run` resolves once, after which nothing of this session is called.
 */
import type { Log } from '../log.ts';
import { FACET_WORDS, VERB_WORDS, assertNever, isKnownVerb } from '@modfleet/proto';
import type { ActionRequest, HostFacts, KnownFacet, Query, TrustBundle, TrustState, Welcome } from '@modfleet/proto';
import type { ActionEngine, ActionProgressReport } from '../actions/action-engine.ts';
import type { FacetSnapshot, Inventory } from '../facets/inventory.ts';
import type { BootClock } from '../time/clock.ts';
import type { OffsetServerClock } from '../time/server-clock.ts';
import type { EventBuffer } from './event-buffer.ts';
import { FacetSender } from './facet-sender.ts';
import { FreshTimeGate } from './fresh-time-gate.ts';
import { HeartbeatLoop } from './heartbeat.ts';
import { SaidFacets } from './said-facets.ts';
import { helloOf, quarantinedResult, statusesOf } from './messages.ts';
import { Outbox, OutboxFullError } from './outbox.ts';
import { readMessage } from './protocol-order.ts';
import type { ServerWord } from './protocol-order.ts';
import { answerQuery } from './query-answers.ts';
import type { SessionEnd } from './session-end.ts';
import type { SessionTransport, ToAgent, ToServer } from './transport.ts';

/** Time from the connection attempt to Welcome: TLS, on a machine that may be busy, and a server that may be starting. */
const WELCOME_TIMEOUT_MS = 60_000;

/** Queries answered at the same time; more would be a flood. */
const MAX_QUERIES = 16;

export interface SessionParts {
  readonly inventory: Inventory;
  readonly engine: ActionEngine;
  readonly events: EventBuffer;
  readonly bootClock: BootClock;
  readonly serverClock: OffsetServerClock;
  readonly log: Log;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** Which CAs this host trusts. */
  readonly trust: SessionTrust;
  /** The server accepted this host. */
  readonly onWelcome?: () => void;
}

/** What a session has to do with the CAs that this host trusts. */
export interface SessionTrust {
  state(): TrustState;
  /** True when what this host trusts changed. Never rejects. */
  take(bundle: TrustBundle): Promise<boolean>;
}

/** The loop of one connection. */
export class Session {
  readonly #parts: SessionParts;
  readonly #transport: SessionTransport;
  readonly #outbox = new Outbox();
  #announced: readonly FacetSnapshot[];
  readonly #gate: FreshTimeGate;
  readonly #said = new SaidFacets();
  #facets: FacetSender | undefined;
  #heartbeat: HeartbeatLoop | undefined;
  #welcome: Welcome | undefined;
  #welcomeTimer: NodeJS.Timeout | undefined;
  #helloAtMs = 0;
  #queries = 0;
  #finish!: (end: SessionEnd) => void;
  #over = false;
  #wake: () => void = () => undefined;

  constructor(parts: SessionParts, transport: SessionTransport) {
    this.#parts = parts;
    this.#transport = transport;
    this.#announced = parts.inventory.snapshots();
    this.#gate = new FreshTimeGate(parts.bootClock, () => this.#heartbeat?.beatNow());
  }

  /** Runs until the connection ends, the server asks to leave, or `stop` is called. Never rejects. */
  async run(facts: HostFacts): Promise<SessionEnd> {
    this.#welcomeTimer = setTimeout(() => this.#end({ kind: 'silent', welcomed: false }), WELCOME_TIMEOUT_MS);
    const ended = new Promise<SessionEnd>((resolve) => (this.#finish = resolve));
    this.#transport.onMessage((message) => this.#receive(message));
    void this.#transport.end.then((end) => {
      const welcomed = this.#welcome !== undefined;
      if (end.kind === 'failed') this.#end({ ...end, welcomed });
      else this.#end({ kind: 'ended', welcomed });
    });
    void this.#pump(facts);
    const end = await ended;
    clearTimeout(this.#welcomeTimer);
    this.#heartbeat?.stop();
    this.#wake();
    this.#transport.close();
    return end;
  }

  stop(): void {
    this.#end({ kind: 'stopped' });
  }

  /** Ends this session for the next one, at once. */
  renew(why: 'network' | 'certificate'): void {
    this.#end({ kind: 'renewed', why });
  }

  /** The inventory changed. */
  changed(snapshots: readonly FacetSnapshot[]): void {
    this.#facets?.changed(snapshots);
    // A reason travels in a sign of life.
    if (snapshots.some((snapshot) => snapshot.state.kind === 'incapable')) this.#heartbeat?.beatNow();
    this.#wake();
  }

  /** Events wait in the buffer. */
  eventsWaiting(): void {
    this.#wake();
  }

  progress({ actionId, phase, verdict, confirmDeadlineMs = 0 }: ActionProgressReport): void {
    if (this.#welcome === undefined) return;
    this.#report({ $case: 'actionProgress', value: { actionId, phase, verdict, confirmDeadlineMs } });
  }

  result(result: Extract<ToServer, { $case: 'actionResult' }>['value']): void {
    if (this.#welcome === undefined) return; // Sent after Welcome, with all that is not acknowledged.
    this.#report({ $case: 'actionResult', value: result });
  }

  /** The facts changed. */
  factsChanged(facts: HostFacts): void {
    if (this.#welcome === undefined) return;
    this.#outbox.pushSign({ $case: 'facts', value: facts });
    this.#wake();
  }

  /** The machine slept. */
  resumed(): void {
    this.#heartbeat?.resumed();
  }

  #end(end: SessionEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#finish(end);
  }

  async #pump(facts: HostFacts): Promise<void> {
    const { bootClock, engine, trust } = this.#parts;
    // It may have to wait for its turn at the server's door, and what it says is as of when it is let in.
    await this.#transport.ready();
    if (this.#over) return;
    this.#announced = this.#parts.inventory.snapshots();
    this.#helloAtMs = bootClock.nowMs();
    await this.#transport.send(
      this.#said.say(helloOf(facts, this.#announced, engine, this.#helloAtMs, trust.state()), false),
    );
    while (!this.#over) {
      const message = this.#welcome === undefined ? undefined : this.#next();
      if (message === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      else await this.#transport.send(this.#said.say(message, this.#welcome?.shortHeartbeats === true));
    }
  }

  /** Signs of life, reports and answers, then events, then facets: an event is told before the change of `loaded` that it explains. */
  #next(): ToServer | undefined {
    const message = this.#outbox.shift();
    if (message !== undefined) return message;
    const events = this.#parts.events.shift();
    if (events !== undefined) return { $case: 'kmodEvents', value: events };
    const update = this.#facets?.shift();
    return update === undefined ? undefined : { $case: 'facetUpdate', value: update };
  }

  #report(message: Extract<ToServer, { $case: 'actionProgress' | 'actionResult' }>): void {
    try {
      this.#outbox.pushReport(message);
    } catch (error) {
      if (!(error instanceof OutboxFullError)) throw error;
      this.#end({ kind: 'overflow' });
    }
    this.#wake();
  }

  #receive(message: ToAgent): void {
    if (this.#over) return;
    const reading = readMessage(message, this.#welcome !== undefined);
    switch (reading.kind) {
      case 'welcome':
        this.#welcomed(reading.welcome);
        return;
      case 'word':
        this.#handleSafely(reading.word);
        return;
      case 'end':
        this.#end(reading.end);
        return;
      default:
        assertNever(reading);
    }
  }

  #welcomed(welcome: Welcome): void {
    const { inventory, engine, bootClock, serverClock, log, random } = this.#parts;
    this.#welcome = welcome;
    clearTimeout(this.#welcomeTimer);
    serverClock.observe({
      serverTimeMs: welcome.serverTimeMs,
      sentAtMs: this.#helloAtMs,
      receivedAtMs: bootClock.nowMs(),
    });
    log.info(
      { sessionNo: welcome.sessionNo, wanted: welcome.wanted.length, quarantined: welcome.quarantined },
      'connected',
    );
    if (welcome.quarantined) log.warn('the server has quarantined this host: it reports, and does not act');
    inventory.setIntervals({
      pollMs: welcome.pollIntervalMs,
      // Observed twice between two heartbeats, `loaded` is never older than the two intervals that count as fresh.
      quietPollMs: welcome.heartbeatIntervalMs / 2,
      facetMs: welcome.facetIntervalMs,
    });
    this.#facets = new FacetSender(
      {
        bootClock,
        wake: () => this.#wake(),
        onTrouble: (facet: KnownFacet, reason) =>
          log.warn({ facet: FACET_WORDS[facet], reason }, 'a facet cannot be sent now'),
      },
      this.#announced,
      welcome.wanted,
      inventory.snapshots(),
    );
    this.#heartbeat = new HeartbeatLoop({
      bootClock,
      intervalMs: welcome.heartbeatIntervalMs,
      random,
      beat: (boottimeMs) => this.#beat(boottimeMs),
      onSilent: () => this.#end({ kind: 'silent', welcomed: true }),
    });
    this.#heartbeat.start();
    this.#parts.onWelcome?.();
    if (welcome.trust !== undefined) void this.#trust(welcome.trust);
    for (const result of engine.unacknowledged()) this.#report({ $case: 'actionResult', value: result });
    this.#wake();
  }

  #beat(boottimeMs: number): void {
    const facets = statusesOf(this.#parts.inventory.snapshots(), boottimeMs);
    this.#outbox.pushSign({ $case: 'heartbeat', value: { boottimeMs, facets } });
    this.#wake();
  }

  /** An error that one message caused must not end the agent: the server would send it again and again. */
  #handleSafely(message: ServerWord): void {
    try {
      this.#handle(message);
    } catch (error) {
      this.#parts.log.error({ err: error, message: message.$case }, 'a message of the server could not be handled');
    }
  }

  #handle(message: ServerWord): void {
    const { engine, bootClock, serverClock, log } = this.#parts;
    switch (message.$case) {
      case 'heartbeatReply': {
        const { serverTimeMs, boottimeMs } = message.value;
        this.#heartbeat?.answered();
        serverClock.observe({ serverTimeMs, sentAtMs: boottimeMs, receivedAtMs: bootClock.nowMs() });
        this.#gate.answered(boottimeMs);
        return;
      }
      case 'facetRequest':
        this.#facets?.request(message.value.facets);
        this.#wake();
        return;
      case 'actionRequest':
        if (!this.#gate.hold(() => this.#act(message.value))) {
          this.#end({ kind: 'protocol', welcomed: true, reason: 'too many actions at once' });
        }
        return;
      case 'actionCancel':
        this.#gate.follow(() => engine.cancel(message.value.actionId));
        return;
      case 'resultAck':
        engine.acknowledge(message.value.actionIds).catch((error: unknown) => {
          log.error({ err: error }, 'acknowledged results cannot be put away; they are sent again');
        });
        return;
      case 'query':
        void this.#answer(message.value);
        return;
      case 'trustUpdate':
        void this.#trust(message.value);
        return;
      case 'ping':
        this.#outbox.pushSign({ $case: 'pong', value: { token: message.value.token } });
        this.#wake();
        return;
      default:
        assertNever(message);
    }
  }

  async #trust(bundle: TrustBundle): Promise<void> {
    const { trust } = this.#parts;
    if (!(await trust.take(bundle))) return;
    this.#outbox.pushSign({ $case: 'trustState', value: trust.state() });
    this.#wake();
  }

  #act(request: ActionRequest): void {
    const { engine, serverClock, log } = this.#parts;
    const { actionId, verb, kmod, dryRun } = request;
    log.info({ actionId, verb: isKnownVerb(verb) ? VERB_WORDS[verb] : verb, kmod, dryRun }, 'action requested');
    if (this.#welcome?.quarantined === true && !request.dryRun) {
      this.#report({
        $case: 'actionResult',
        value: quarantinedResult(request, Math.round(serverClock.now()?.ms ?? 0)),
      });
    } else {
      engine.submit(request);
    }
  }

  async #answer(query: Query): Promise<void> {
    const { inventory } = this.#parts;
    this.#queries += 1;
    try {
      const value = await answerQuery(inventory, query, this.#queries > MAX_QUERIES);
      this.#outbox.pushAnswer({ $case: 'queryAnswer', value });
      this.#wake();
    } finally {
      this.#queries -= 1;
    }
  }
}
