/**
 * Ends the sessions that may not go on, whatever became of the message that said so.
 *
 * INVARIANTS
 * - A host that is retired or revoked has no session, on any replica, 5 s after the commit: the message over the bus takes milliseconds, and where it is lost
 *   this looks every 2 s. (A replica without the database for longer holds its streams; they can do nothing meanwhile, and end at its first look.)
 * - A look covers everything since the last one that succeeded, and what may have taken long to commit before it.
 * - A session does not outlive its certificate by more than the tolerance for clocks.
 */
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseService } from '../database/database.service.ts';
import { changesOfStanding, released } from './session-sweep.queries.ts';
import { SessionRegistry } from './session-registry.service.ts';

const SWEEP_MS = 2_000;
/** now() is a transaction's start: one that takes longer than this to commit is none of ours (statements are ended after seconds). */
const COMMIT_MS = 60_000;
/** The clocks of a host and of replicas may be off by so much. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

@Injectable()
export class SessionSweeper implements OnModuleInit, OnApplicationShutdown {
  readonly #log = new Logger('Sessions');
  readonly #database: DatabaseService;
  readonly #registry: SessionRegistry;
  readonly #ca: CertificateAuthority;
  readonly #bus: Bus;
  #since: Date | null = null;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #unsubscribe: () => void = () => undefined;
  #failing = false;
  #stopped = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SessionRegistry) registry: SessionRegistry,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(Bus) bus: Bus,
  ) {
    this.#database = database;
    this.#registry = registry;
    this.#ca = ca;
    this.#bus = bus;
  }

  onModuleInit(): void {
    this.#unsubscribe = this.#bus.onResumed(() => void this.sweep());
    this.#schedule();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
    await this.#sweeping;
  }

  /** Looks once; one look at a time. Never rejects. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.sweep().finally(() => this.#schedule()), SWEEP_MS);
  }

  async #sweep(): Promise<void> {
    const held = this.#registry.all();
    const endedBefore = this.#ca.nowMs() - CLOCK_TOLERANCE_MS;
    for (const session of held) if (session.certificateEndsMs < endedBefore) session.leave('certificate_ended', 0);
    try {
      const { now, changes } = await changesOfStanding(this.#database, this.#since, COMMIT_MS);
      for (const { id, standing } of changes) {
        if (standing === 'quarantined') this.#registry.quarantine(id);
        else this.#registry.end(id, standing);
      }
      this.#since = now;
      const quarantined = held.filter((session) => session.quarantined).map((session) => session.hostId);
      if (quarantined.length > 0)
        for (const id of await released(this.#database, quarantined)) this.#registry.end(id, 'released');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn(`who may not go on could not be looked up: ${(error as Error).message}`);
      this.#failing = true;
    }
  }
}
