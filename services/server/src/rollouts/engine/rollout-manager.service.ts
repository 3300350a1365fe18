import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { AccessRepository } from '../../access/access.repository.ts';
import { ACTIONS_CHANNEL } from '../../actions/action-changes.service.ts';
import { ActionBatch } from '../../actions/action-batch.service.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { Bus } from '../../bus/bus.ts';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { isUnavailable } from '../../database/database.errors.ts';
import { DatabaseService } from '../../database/database.service.ts';
import { FREEZE_CHANNEL } from '../../freeze/freeze.service.ts';
import { REPLICA_ID } from '../../presence/replica-id.ts';
import { RolloutChanges } from '../rollout-changes.service.ts';
import { RolloutMetrics } from '../rollout-metrics.service.ts';
import { HealthLook } from './health-look.service.ts';
import { giveUpLease, type Lease, takeLeases } from './lease.queries.ts';
import { RolloutStore } from './rollout-store.ts';
import { RolloutWatcher } from './rollout-watcher.ts';

/** How long a rollout that lost its watcher waits beyond the lease. */
const TAKE_MS = 1_000;
/** Rollouts that one replica takes at a time; the others are for the next round, or another replica. */
const TAKEN_AT_ONCE = 20;

/** Starts a watcher for every rollout that has none, on whichever replica is first. */
@Injectable()
export class RolloutManager implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #logger = new Logger('rollouts');
  readonly #database: DatabaseService;
  readonly #bus: Bus;
  readonly #replicaId: string;
  readonly #leaseSeconds: number;
  readonly #parts;
  readonly #watchers = new Map<string, { readonly watcher: RolloutWatcher; readonly done: Promise<void> }>();
  readonly #unsubscribe: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #taking = false;
  #stopped = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(Bus) bus: Bus,
    @Inject(REPLICA_ID) replicaId: string,
    @Inject(RolloutStore) store: RolloutStore,
    @Inject(ActionBatch) batch: ActionBatch,
    @Inject(HealthLook) health: HealthLook,
    @Inject(AuditService) audit: AuditService,
    @Inject(AccessRepository) { seals }: AccessRepository,
    @Inject(RolloutChanges) changes: RolloutChanges,
    @Inject(RolloutMetrics) metrics: RolloutMetrics,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'rolloutLeaseSeconds' | 'rolloutRetrySeconds'>,
  ) {
    this.#database = database;
    this.#bus = bus;
    this.#replicaId = replicaId;
    this.#leaseSeconds = config.rolloutLeaseSeconds;
    const retryMs = config.rolloutRetrySeconds * 1000;
    const announce = (rolloutId: string): void => changes.announce(rolloutId);
    this.#parts = { database, store, batch, health, audit, seals, metrics, announce, retryMs };
    changes.onAsked((rolloutId) => this.#asked(rolloutId));
  }

  onApplicationBootstrap(): void {
    const take = (): void => void this.take();
    this.#timer = setInterval(take, TAKE_MS).unref();
    const wakeAll = (): void => {
      for (const { watcher } of this.#watchers.values()) watcher.wake();
    };
    this.#unsubscribe.push(
      this.#bus.subscribe(ACTIONS_CHANNEL, wakeAll),
      this.#bus.subscribe(FREEZE_CHANNEL, wakeAll),
      this.#bus.onResumed(take),
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { watcher } of this.#watchers.values()) watcher.stop();
    await Promise.all([...this.#watchers.values()].map(({ done }) => done));
  }

  /** Watches what nobody watches. Never fails. */
  async take(): Promise<void> {
    if (this.#taking || this.#stopped) return;
    this.#taking = true;
    try {
      const leases = await takeLeases(this.#database, this.#replicaId, this.#leaseSeconds, TAKEN_AT_ONCE);
      for (const lease of leases) this.#watch(lease);
    } catch (error) {
      if (!isUnavailable(error)) this.#logger.error({ message: 'rollouts could not be taken', err: error });
    } finally {
      this.#taking = false;
    }
  }

  /** Somebody asked something of a rollout: its watcher hears of it, or one is started. */
  #asked(rolloutId: string): void {
    const watched = this.#watchers.get(rolloutId);
    if (watched === undefined) void this.take();
    else watched.watcher.wake();
  }

  #watch(lease: Lease): void {
    if (this.#stopped) return;
    const before = this.#watchers.get(lease.rolloutId);
    // The lease of this process's own watcher ran out: it stops by itself at its next step.
    before?.watcher.stop();
    const watcher = new RolloutWatcher(lease, this.#parts);
    const done = watcher.run().then(() => this.#ended(lease, watcher));
    this.#watchers.set(lease.rolloutId, { watcher, done });
  }

  async #ended(lease: Lease, watcher: RolloutWatcher): Promise<void> {
    if (this.#watchers.get(lease.rolloutId)?.watcher === watcher) this.#watchers.delete(lease.rolloutId);
    try {
      await giveUpLease(this.#database, lease);
    } catch {
      // It runs out by itself.
    }
  }
}
