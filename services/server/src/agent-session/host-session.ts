/**
 * One connection of a host, from Hello to its end.
 *
 * INVARIANTS
 * - Hello is the first message in, Welcome the first out; before Welcome nothing else is sent.
 * - One loop reads; the host's messages are handled in its order. What features do with actions goes in a line of its own, bounded.
 * - `run` resolves once, after which the session is neither in the registry nor in the gateway.
 */
import { randomInt } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { assertNever, type Hello, type HostFacts, type KnownFacet, type TrustState } from '@modfleet/proto';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { EnrollmentError } from '../enrollment/enrollment.errors.ts';
import type { IngestSession } from '../ingest/ingest.service.ts';
import type { GatewayConnection, ServerMessage } from './agent-gateway.ts';
import type { AgentStream, HostMessage, StreamEnd } from './agent-stream.ts';
import type { PeerIdentity } from './peer-identity.ts';
import type { HeldSession, LeaveReason } from './session-registry.service.ts';
import type { SessionParts } from './session-parts.ts';

const HELLO_TIMEOUT_MS = 10_000;
/** From Hello to Welcome; the host itself waits for half a minute. */
const WELCOME_TIMEOUT_MS = 25_000;
/** Heartbeats that may be missed before the host counts as gone. */
const MISSED_HEARTBEATS = 3;
/** Messages for features that may wait; more, and the host is not read from until they are done. */
const FEATURE_LINE_MAX = 64;
/** A clone does not come back at once. */
const CLONE_RETRY_MS = 30_000;
/** Hosts whose certificate no longer counts come back within so long, spread. */
const CA_REPLACED_SPREAD_MS = 10_000;

/** Ends that the host is not asked to: it is turned away, and asks why. */
const REFUSALS: Readonly<Partial<Record<LeaveReason, string>>> = {
  retired: 'this host was retired; join anew',
  revoked: 'this host was revoked',
  certificate_ended: 'the certificate of this host has ended: ask for a renewal',
};

/** Sessions are written with these. */
export interface SessionIntervals {
  readonly heartbeatIntervalMs: number;
  readonly pollIntervalMs: number;
  readonly facetIntervalMs: number;
}

/** What a stream is known by before it says a word: its client certificate. */
export type SessionIdentity = Pick<PeerIdentity, 'hostId' | 'serial' | 'notAfterMs'>;

export class HostSession implements GatewayConnection, HeldSession {
  readonly hostId: string;
  readonly certificateEndsMs: number;
  sessionNo = 0;
  quarantined = false;
  readonly #log = new Logger('Session');
  readonly #serial: string;
  readonly #stream: AgentStream;
  readonly #parts: SessionParts;
  readonly #pongs = new Map<number, () => void>();
  /** What is wanted of the host while it waits for Welcome, which then carries it. */
  readonly #wantedEarly = new Set<number>();
  /** What has to go out as soon as Welcome did; undefined since then. */
  #afterWelcome: (() => void)[] | undefined = [];
  /** Id of the CA by whose certificate this connection is proven. */
  readonly #certificateCa: string | undefined;
  /** Undefined: the agent trusts one CA for ever, and does not know what to do with another. */
  #trust: TrustState | undefined;
  #ingest: IngestSession | undefined;
  #idle: NodeJS.Timeout | undefined;
  #line: Promise<void> = Promise.resolve();
  #inLine = 0;

  constructor(identity: SessionIdentity, stream: AgentStream, parts: SessionParts, certificateCa: string | undefined) {
    this.hostId = identity.hostId;
    this.certificateEndsMs = identity.notAfterMs;
    this.#serial = identity.serial;
    this.#stream = stream;
    this.#parts = parts;
    this.#certificateCa = certificateCa;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    this.#expectWithin(HELLO_TIMEOUT_MS);
    let welcomed = false;
    try {
      for await (const message of this.#stream.messages) {
        if (welcomed) {
          this.#expectWithin(MISSED_HEARTBEATS * this.#parts.intervals.heartbeatIntervalMs);
          await this.#handle(message);
        } else {
          welcomed =
            message.$case === 'hello'
              ? await this.#begin(message.value)
              : this.#close({ kind: 'protocol', reason: 'the first message must be Hello' });
          if (!welcomed) break;
          this.#expectWithin(MISSED_HEARTBEATS * this.#parts.intervals.heartbeatIntervalMs);
        }
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      await this.#end(welcomed);
    }
  }

  send(message: ServerMessage): boolean {
    if (this.quarantined && message.$case === 'actionRequest') return false;
    return this.#stream.send(message);
  }

  async probe(timeoutMs: number): Promise<boolean> {
    const token = randomInt(2 ** 47);
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<boolean>((resolve) => {
      this.#pongs.set(token, () => resolve(true));
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const ping = (): void => {
      if (!this.#stream.send({ $case: 'ping', value: { token } })) this.#pongs.delete(token);
    };
    if (this.#afterWelcome === undefined) ping();
    else this.#afterWelcome.push(ping);
    const alive = this.#pongs.has(token) && (await answer);
    clearTimeout(timer);
    this.#pongs.delete(token);
    return alive;
  }

  leave(reason: LeaveReason, afterMs: number): void {
    const refusal = REFUSALS[reason];
    if (refusal === undefined) this.#stream.send({ $case: 'reconnect', value: { afterMs, reason } });
    this.#stream.close(refusal === undefined ? { kind: 'ok' } : { kind: 'refused', reason: refusal });
  }

  quarantine(): void {
    this.quarantined = true;
  }

  casChanged(): void {
    const { ca } = this.#parts;
    if (this.#trust !== undefined)
      this.#stream.send({ $case: 'trustUpdate', value: ca.bundle(this.#parts.registry.all().length) });
    if (this.#certificateCa === undefined || !ca.trusts(this.#certificateCa))
      this.leave('ca_replaced', randomInt(CA_REPLACED_SPREAD_MS));
  }

  /** True when the host was welcomed. */
  async #begin(hello: Hello): Promise<boolean> {
    const { facts } = hello;
    if (facts === undefined) return this.#close({ kind: 'protocol', reason: 'Hello without facts' });
    this.#within(WELCOME_TIMEOUT_MS, 'the server has too many hosts to welcome just now');
    // Checked before anything is written of a host that says nonsense.
    this.#parts.hostColumns(facts);
    const admission = await this.#parts.admission.admit({
      hostId: this.hostId,
      bootId: facts.bootId,
      address: this.#stream.peer,
      serial: this.#serial,
    });
    if (admission.kind === 'refused') return this.#close({ kind: 'refused', reason: admission.reason });
    if (admission.kind === 'clone') {
      await this.#parts.registry.announceQuarantine(this.hostId);
      this.#stream.send({ $case: 'reconnect', value: { afterMs: CLONE_RETRY_MS, reason: 'quarantined' } });
      return this.#close({ kind: 'refused', reason: admission.reason });
    }
    this.sessionNo = admission.sessionNo;
    this.quarantined = admission.quarantined;
    // From here a newer connection finds this one, and `#end` takes it out again.
    this.#parts.registry.hold(this);
    const peer = {
      hostId: this.hostId,
      sessionNo: this.sessionNo,
      bootId: facts.bootId,
      request: (facets: readonly number[]) => this.#request(facets),
      turnAway: (reason: string) => void this.#close({ kind: 'protocol', reason }),
    };
    const { session, wanted } = await this.#parts.ingest.connect(peer, hello.facets);
    this.#ingest = session;
    await this.#saveFacts(facts);
    if (hello.trust !== undefined) await this.#saveTrust(hello.trust);
    const { ca } = this.#parts;
    const isBehind = hello.trust !== undefined && hello.trust.generation !== ca.set.generation;
    this.#stream.send({
      $case: 'welcome',
      value: {
        serverTimeMs: this.#parts.nowMs(),
        sessionNo: this.sessionNo,
        ...this.#parts.intervals,
        wanted: [...new Set([...wanted, ...this.#wantedEarly])] as KnownFacet[],
        quarantined: this.quarantined,
        shortHeartbeats: true,
        trust: isBehind ? ca.bundle(this.#parts.registry.all().length) : undefined,
      },
    });
    // Only now: nothing goes out before Welcome. What changed since the handshake is in it, or counts from here on.
    this.#trust = hello.trust;
    const waiting = this.#afterWelcome ?? [];
    this.#afterWelcome = undefined;
    for (const say of waiting) say();
    if (this.#certificateCa === undefined || !ca.trusts(this.#certificateCa)) {
      this.leave('ca_replaced', randomInt(CA_REPLACED_SPREAD_MS));
      return false;
    }
    this.#parts.gateway.attach(this);
    this.#toFeatures(() => this.#parts.gateway.dispatch('onConnected', this, hello));
    this.#log.log(
      `host ${this.hostId} (${facts.hostname}) connected from ${this.#stream.peer}, session ${this.sessionNo}`,
    );
    return true;
  }

  async #handle(message: HostMessage): Promise<void> {
    const { gateway } = this.#parts;
    switch (message.$case) {
      case 'hello':
        this.#close({ kind: 'protocol', reason: 'a second Hello' });
        return;
      case 'heartbeat':
        this.#ingest?.heartbeat(message.value.facets);
        this.#stream.send({
          $case: 'heartbeatReply',
          value: { boottimeMs: message.value.boottimeMs, serverTimeMs: this.#parts.nowMs() },
        });
        return;
      case 'facetUpdate':
        return this.#ingest?.update(message.value);
      case 'kmodEvents':
        return this.#ingest?.events(message.value);
      case 'pong':
        return this.#pongs.get(message.value.token)?.();
      case 'facts':
        return this.#saveFacts(message.value);
      case 'trustState':
        return this.#saveTrust(message.value);
      case 'actionProgress':
        return this.#feature(() => gateway.dispatch('onActionProgress', this, message.value));
      case 'actionResult':
        return this.#feature(() => gateway.dispatch('onActionResult', this, message.value));
      case 'queryAnswer':
        return this.#feature(() => gateway.dispatch('onQueryAnswer', this, message.value));
      default:
        return assertNever(message);
    }
  }

  async #saveFacts(facts: HostFacts): Promise<void> {
    try {
      await this.#parts.saveFacts(this.hostId, this.#parts.hostColumns(facts));
    } catch (error) {
      // The next Hello says them again.
      this.#log.warn(`facts of host ${this.hostId} were not stored: ${(error as Error).message}`);
    }
  }

  async #saveTrust(trust: TrustState): Promise<void> {
    try {
      await this.#parts.saveTrust(this.hostId, trust);
    } catch (error) {
      this.#log.warn(`what host ${this.hostId} trusts was not stored: ${(error as Error).message}`);
    }
  }

  /** In line; waits for the line only when it is long. */
  async #feature(work: () => Promise<void>): Promise<void> {
    this.#toFeatures(work);
    if (this.#inLine > FEATURE_LINE_MAX) await this.#line;
  }

  #toFeatures(work: () => Promise<void>): void {
    this.#inLine += 1;
    this.#line = this.#line.then(work).finally(() => (this.#inLine -= 1));
  }

  #request(facets: readonly number[]): void {
    if (this.#afterWelcome !== undefined) {
      for (const facet of facets) this.#wantedEarly.add(facet);
      return;
    }
    this.#stream.send({
      $case: 'facetRequest',
      value: { facets: facets as Extract<ServerMessage, { $case: 'facetRequest' }>['value']['facets'] },
    });
  }

  #close(end: StreamEnd): false {
    this.#stream.close(end);
    return false;
  }

  #failed(error: unknown): void {
    if (error instanceof EnrollmentError) this.#close({ kind: 'protocol', reason: error.message });
    else {
      if (!(error instanceof DatabaseUnavailableError))
        this.#log.error(`the session of host ${this.hostId} failed`, error as Error);
      this.#close({ kind: 'unavailable', reason: 'the server cannot take this host just now' });
    }
  }

  async #end(welcomed: boolean): Promise<void> {
    clearTimeout(this.#idle);
    this.#stream.close({ kind: 'ok' });
    this.#parts.registry.release(this);
    this.#parts.gateway.detach(this);
    this.#ingest?.end();
    if (!welcomed) return;
    await this.#line;
    await this.#parts.gateway.dispatch('onDisconnected', this);
    this.#log.log(`host ${this.hostId} disconnected, session ${this.sessionNo}`);
  }

  #expectWithin(ms: number): void {
    this.#within(ms, `nothing was heard of the host for ${ms} ms`);
  }

  /** Unless it is called again before, the stream ends then. */
  #within(ms: number, reason: string): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#close({ kind: 'unavailable', reason }), ms);
  }
}
