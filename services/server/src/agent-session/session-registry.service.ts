/**
 * The sessions that this replica holds, and what other replicas ask of them.
 *
 * INVARIANTS
 * - One session a host. A newer one takes the place of the older, which is closed; the older one's late end changes nothing.
 * - A probe answers only for the session number it was asked about.
 */
import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { assertNever } from '@modfleet/proto';
import { Bus, replicaChannel } from '../bus/bus.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { RETIRED_CHANNEL, SESSIONS_CHANNEL, sessionMail, type SessionMail } from './session-mail.ts';

/** Why a session is ended from this side. */
export type LeaveReason =
  'superseded' | 'retired' | 'revoked' | 'certificate_ended' | 'released' | 'ca_replaced' | 'shutdown' | 'move';

/** What others may do to a session held here. */
export interface HeldSession {
  readonly hostId: string;
  readonly sessionNo: number;
  readonly quarantined: boolean;
  /** End of the certificate that it was opened with, ms since the epoch. */
  readonly certificateEndsMs: number;
  /** True when the host answered within the time. */
  probe(timeoutMs: number): Promise<boolean>;
  /** Asks the host to leave, or tells it that it is turned away, then closes. */
  leave(reason: LeaveReason, afterMs: number): void;
  quarantine(): void;
  /** While it is on, no action goes out: it is being seen whether the host may be asked to move. */
  holdBack(on: boolean): void;
  /** Other CAs count from now on. */
  casChanged(): void;
}

/** A host on a bad line answers within a second or two; longer would hold up a rebooted host. */
export const PROBE_TIMEOUT_MS = 5_000;

@Injectable()
export class SessionRegistry implements OnModuleInit, OnModuleDestroy {
  readonly #log = new Logger('Sessions');
  readonly #bus: Bus;
  readonly #replicaId: string;
  readonly #held = new Map<string, HeldSession>();
  readonly #asked = new Map<string, () => void>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(@Inject(Bus) bus: Bus, @Inject(REPLICA_ID) replicaId: string) {
    this.#bus = bus;
    this.#replicaId = replicaId;
  }

  onModuleInit(): void {
    const receive = (payload: string): void => this.#receive(payload);
    this.#unsubscribe.push(
      this.#bus.subscribe(replicaChannel(this.#replicaId), receive),
      this.#bus.subscribe(SESSIONS_CHANNEL, receive),
      this.#bus.subscribe(RETIRED_CHANNEL, (hostId) => this.end(hostId, 'retired')),
    );
  }

  onModuleDestroy(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  get count(): number {
    return this.#held.size;
  }

  all(): HeldSession[] {
    return [...this.#held.values()];
  }

  hold(session: HeldSession): void {
    this.#held.get(session.hostId)?.leave('superseded', 0);
    this.#held.set(session.hostId, session);
  }

  release(session: HeldSession): void {
    if (this.#held.get(session.hostId) === session) this.#held.delete(session.hostId);
  }

  /** Whether the host of that session, here or on another replica, answers now. */
  async probe(hostId: string, sessionNo: number, replicaId: string): Promise<boolean> {
    if (replicaId === this.#replicaId) {
      const held = this.#held.get(hostId);
      return held?.sessionNo === sessionNo ? held.probe(PROBE_TIMEOUT_MS) : false;
    }
    const askId = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    try {
      // The other replica needs the full time itself; the way there and back comes on top.
      const answer = new Promise<boolean>((resolve) => {
        this.#asked.set(askId, () => resolve(true));
        timer = setTimeout(() => resolve(false), PROBE_TIMEOUT_MS + 500);
      });
      await this.#say(replicaChannel(replicaId), { kind: 'probe', hostId, sessionNo, askId, replyTo: this.#replicaId });
      return await answer;
    } finally {
      clearTimeout(timer);
      this.#asked.delete(askId);
    }
  }

  /** Tells the replica that holds an older session that it is over. */
  async supersede(hostId: string, sessionNo: number, replicaId: string): Promise<void> {
    if (replicaId === this.#replicaId) this.#supersedeHere(hostId, sessionNo);
    else await this.#say(replicaChannel(replicaId), { kind: 'superseded', hostId, sessionNo });
  }

  /** Tells every replica that the host may only report. */
  announceQuarantine(hostId: string): Promise<void> {
    return this.#say(SESSIONS_CHANNEL, { kind: 'quarantined', hostId });
  }

  /** Tells every replica that the host is out of quarantine. */
  announceRelease(hostId: string): Promise<void> {
    return this.#say(SESSIONS_CHANNEL, { kind: 'released', hostId });
  }

  /** Tells every replica that the host has no access any more. */
  announceRevocation(hostId: string): Promise<void> {
    return this.#say(SESSIONS_CHANNEL, { kind: 'revoked', hostId });
  }

  /** Ends the host's session, if it is held here. */
  end(hostId: string, reason: LeaveReason): void {
    this.#held.get(hostId)?.leave(reason, 0);
  }

  /** The host only reports from now on, if its session is held here. */
  quarantine(hostId: string): void {
    this.#held.get(hostId)?.quarantine();
  }

  #say(channel: string, mail: SessionMail): Promise<void> {
    return this.#bus.publish(channel, JSON.stringify(mail));
  }

  #receive(payload: string): void {
    const parsed = sessionMail.safeParse(asJson(payload));
    // The channel is shared with other features' messages.
    if (parsed.success) this.#handle(parsed.data);
  }

  #handle(mail: SessionMail): void {
    switch (mail.kind) {
      case 'probe':
        return void this.#answerProbe(mail);
      case 'alive':
        return this.#asked.get(mail.askId)?.();
      case 'superseded':
        return this.#supersedeHere(mail.hostId, mail.sessionNo);
      case 'quarantined':
        return this.quarantine(mail.hostId);
      case 'released':
      case 'revoked':
        return this.end(mail.hostId, mail.kind);
      default:
        return assertNever(mail);
    }
  }

  async #answerProbe(mail: Extract<SessionMail, { kind: 'probe' }>): Promise<void> {
    const held = this.#held.get(mail.hostId);
    if (held?.sessionNo !== mail.sessionNo || !(await held.probe(PROBE_TIMEOUT_MS))) return;
    await this.#say(replicaChannel(mail.replyTo), { kind: 'alive', askId: mail.askId }).catch((error: Error) =>
      this.#log.warn(`an answer to another replica was lost: ${error.message}`),
    );
  }

  #supersedeHere(hostId: string, sessionNo: number): void {
    const held = this.#held.get(hostId);
    if (held !== undefined && held.sessionNo <= sessionNo) held.leave('superseded', 0);
  }
}

function asJson(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
