/**
 * Keeps the host's certificate young.
 *
 * INVARIANTS
 * - One question to the identity service at a time; whoever asks meanwhile gets the same answer.
 * - What is asked of is always the identity on disk, and a new one is on disk before it is used (kept-identity.ts).
 * - A certificate is due, too, when another CA issues than the one that made it, so that the old one can be dropped (docs/adr/0028).
 * - By which clock: the server's time alone says that a certificate is due (carried forward by boot time, never older than 5 minutes), and the server alone
 *   that it has ended or is not valid yet. A host whose clock is wrong renews as every other.
 */
import { X509Certificate } from 'node:crypto';
import { IdentityStatus } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Log } from '../log.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { HostIdentity } from './host-identity.ts';
import type { askIdentityService, Diagnosis, IdentityQuestions, Renewal } from './identity-questions.ts';
import type { KeptIdentity } from './kept-identity.ts';
import { trustOf } from './trust.ts';
import { type CertificateLife, certificateLife, moveWithinMs, renewalRetryMs, renewAtMs } from './renewal-plan.ts';

/** Boot time comes in steps of 10 ms (/proc/uptime): a timer may fire before it has moved. */
const BOOT_CLOCK_STEP_MS = 20;

/** How often it is looked whether the certificate is due, ms. */
const CHECK_MS = 30_000;

/** Statuses that another certificate may cure. Of a superseded one the server decides what it means. */
const CURABLE: ReadonlySet<IdentityStatus> = new Set([
  IdentityStatus.IDENTITY_STATUS_EXPIRED,
  IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID,
  IdentityStatus.IDENTITY_STATUS_SUPERSEDED,
  IdentityStatus.IDENTITY_STATUS_CA_REPLACED,
]);

/** How the server sees this host, and whether the host has a new certificate by now. */
export interface Inquiry extends Diagnosis {
  readonly renewed: boolean;
}

export interface KeeperParts {
  readonly kept: KeptIdentity;
  /** {@link askIdentityService} of the host's server. */
  readonly ask: <T>(kept: KeptIdentity, run: (ask: IdentityQuestions) => Promise<T>) => Promise<T>;
  readonly readBootId: () => Promise<string>;
  readonly bootClock: BootClock;
  readonly serverClock: ServerClock;
  readonly log: Log;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** There is a new certificate: the running stream moves to it, within so long. */
  readonly onRenewed: (moveWithinMs: number) => void;
}

/** What was read of an identity. */
interface Seen {
  readonly identity: HostIdentity;
  readonly life: CertificateLife;
  /** Another CA issues now than that which made the certificate. */
  readonly isOfAnotherCa: boolean;
}

export class CertificateKeeper {
  readonly #parts: KeeperParts;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #asking: Promise<Inquiry> | undefined;
  #failures = 0;
  #notBeforeMs = 0;
  /** Drawn once a certificate. */
  #jitter: number;
  #last: Seen | undefined;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#jitter = parts.random();
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_MS);
  }

  stop(): void {
    clearTimeout(this.#soon);
    clearInterval(this.#timer);
  }

  /** Renews when it is time. Never rejects: what fails is tried again, later. */
  async check(): Promise<void> {
    const { kept, bootClock, serverClock, log, random } = this.#parts;
    const now = serverClock.now();
    if (now === undefined || this.#asking !== undefined || bootClock.nowMs() < this.#notBeforeMs) return;
    const { life: old, isOfAnotherCa } = this.#seen(kept.current);
    if (now.ms < renewAtMs(old, this.#jitter) && !isOfAnotherCa) return;
    try {
      const { renewed, status } = await this.#once((ask) => this.#renew(ask));
      if (renewed) return this.#parts.onRenewed(moveWithinMs(old, now.ms));
      log.error({ identityStatus: status }, 'the server gives this host no new certificate');
    } catch (error) {
      log.warn(`this host's certificate could not be renewed yet: ${messageOf(error)}`);
    }
    this.#failures += 1;
    this.#notBeforeMs = bootClock.nowMs() + renewalRetryMs(this.#failures, random());
  }

  /** Another CA may issue now: looks at it within so long, ms. */
  casChanged(spreadMs: number): void {
    clearTimeout(this.#soon);
    const { bootClock, random } = this.#parts;
    const waitMs = random() * spreadMs;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, bootClock.nowMs() + waitMs);
    this.#soon = setTimeout(() => void this.check(), waitMs + BOOT_CLOCK_STEP_MS);
  }

  /**
   * Asks how the server sees this host, and for another certificate where that may cure it.
   *
   * @throws ServerUnreachableError, ServerNotTrustedError, IdentityCallError, IdentityStoreError
   */
  inquire(): Promise<Inquiry> {
    return this.#once(async (ask) => {
      const diagnosis = await ask.diagnose();
      this.#parts.kept.observeServerTime(diagnosis.serverTimeMs);
      return CURABLE.has(diagnosis.status) ? this.#renew(ask) : { ...diagnosis, renewed: false };
    });
  }

  /** What the certificate says stays, as long as it and the CAs do. */
  #seen(identity: HostIdentity): Seen {
    if (this.#last?.identity === identity) return this.#last;
    const [issuing] = trustOf(identity).cas;
    this.#last = {
      identity,
      life: certificateLife(identity.certificatePem),
      isOfAnotherCa: issuing !== undefined && !new X509Certificate(identity.certificatePem).verify(issuing.publicKey),
    };
    return this.#last;
  }

  #once(run: (ask: IdentityQuestions) => Promise<Inquiry>): Promise<Inquiry> {
    this.#asking ??= this.#parts.ask(this.#parts.kept, run).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #renew(ask: IdentityQuestions): Promise<Inquiry> {
    const { kept, readBootId, log, random } = this.#parts;
    const { status, serverTimeMs, identity }: Renewal = await ask.renew(await readBootId());
    kept.observeServerTime(serverTimeMs);
    if (identity === undefined) return { status, serverTimeMs, renewed: false };
    await kept.amend({ certificatePem: identity.certificatePem });
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#jitter = random();
    const until = new Date(certificateLife(identity.certificatePem).toMs).toISOString();
    log.info({ until }, "this host's certificate was renewed");
    return { status, serverTimeMs, renewed: true };
  }
}

/** For {@link KeeperParts.ask}: the host's server, over a connection of its own. */
export function asking(
  ask: typeof askIdentityService,
  server: Parameters<typeof askIdentityService>[2],
): KeeperParts['ask'] {
  return (kept, run) => ask(kept.current, kept.keyPem, server, run);
}
