import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Metrics } from '../metrics/metrics.service.ts';
import { expiryOf, type ExpiryWords } from './ca-expiry.ts';
import { shortId } from './ca-set.ts';
import { CertificateAuthority } from './certificate-authority.ts';

/** A file of a few KB is read so often; SIGHUP asks at once. */
const POLL_MS = 2_000;
const EXPIRY_MS = 86_400_000;

/** Takes a change of the CAs over from the disk while the server runs, and warns of their end. */
@Injectable()
export class CaWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger('CA');
  readonly #ca: CertificateAuthority;
  readonly #timers: NodeJS.Timeout[] = [];
  #problem: string | undefined;
  #checking: Promise<void> = Promise.resolve();

  constructor(@Inject(CertificateAuthority) ca: CertificateAuthority, @Inject(Metrics) metrics: Metrics) {
    this.#ca = ca;
    metrics.gauge(
      'modfleet_ca_not_after_timestamp_seconds',
      'When each CA that is trusted ends, seconds since the epoch.',
      ['ca', 'issues'],
      (gauge) => {
        gauge.reset();
        ca.trusted.forEach(({ id, notAfter }, index) =>
          gauge.set({ ca: shortId(id), issues: String(index === 0) }, notAfter.getTime() / 1000),
        );
      },
    );
    metrics.gauge('modfleet_ca_generation', 'Which set of CAs this replica works with.', [], (gauge) =>
      gauge.set(ca.set.generation),
    );
  }

  onApplicationBootstrap(): void {
    this.#tellNotes();
    this.#tellExpiry();
    this.#timers.push(
      setInterval(() => void this.check(), POLL_MS).unref(),
      setInterval(() => this.#tellExpiry(), EXPIRY_MS).unref(),
    );
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#checking;
  }

  /** Why the set on the disk is not the one that is used; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** How the CA that issues stands, for readiness checks and people. */
  expiry(now = new Date()): ExpiryWords {
    return expiryOf(this.#ca.trusted, now);
  }

  /** Takes over what is on the disk now. Never rejects; one after the other. */
  check(): Promise<void> {
    this.#checking = this.#checking.then(() => this.#checkOnce());
    return this.#checking;
  }

  async #checkOnce(): Promise<void> {
    try {
      const changed = await this.#ca.reload();
      this.#problem = undefined;
      if (!changed) return;
      const { phase, generation } = this.#ca.set;
      const trusted = this.#ca.trusted.map(({ id }) => shortId(id));
      this.#log.log({ message: 'the CAs changed', phase, generation, issuing: trusted[0], trusted });
      this.#tellNotes();
    } catch (error) {
      const problem = (error as Error).message;
      if (problem !== this.#problem)
        this.#log.error(`a change of the CAs is not taken over, and those of before stay in use: ${problem}`);
      this.#problem = problem;
    }
  }

  #tellNotes(): void {
    for (const note of this.#ca.notes) this.#log.warn(note);
  }

  #tellExpiry(): void {
    const { level, words } = this.expiry();
    if (level !== 'ok') this.#log[level](words);
  }
}
