/**
 * This process among the replicas.
 *
 * INVARIANTS
 * - A beat every 2 s while the database answers; beats never overlap. Sessions of a replica without a beat for 10 s count as silent.
 * - The first beat is written before any listener opens.
 */
import { hostname } from 'node:os';
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { epochAfter } from './server-clock.ts';
import { beat, buryDeadReplicas, endReplica, type ReplicaRow } from './replica.queries.ts';
import { REPLICA_ID } from './replica-id.ts';

const BEAT_MS = 2_000;

@Injectable()
export class ReplicaService implements OnModuleInit, OnApplicationShutdown {
  readonly id: string;
  /** A facet that was not observed for so long is stale: two intervals. Heartbeats carry the news, so none is shorter than theirs. */
  readonly windows: { readonly loadedMs: number; readonly facetMs: number };
  readonly #log = new Logger('Replica');
  readonly #database: DatabaseService;
  readonly #ca: CertificateAuthority;
  readonly #row: ReplicaRow;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #failing = false;
  #unwatch: (() => void) | undefined;
  #stopped = false;
  #sessions: () => number | null = () => null;
  /** Server time at performance.now() = 0; undefined before the first beat. */
  #epochAtStart: number | undefined;

  constructor(
    @Inject(REPLICA_ID) id: string,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'heartbeatIntervalMs' | 'pollIntervalMs' | 'facetIntervalMs'>,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(Bus) bus: Bus,
  ) {
    this.id = id;
    this.#ca = ca;
    this.#database = database;
    this.windows = {
      loadedMs: 2 * Math.max(config.heartbeatIntervalMs, config.pollIntervalMs),
      facetMs: 2 * Math.max(config.heartbeatIntervalMs, config.facetIntervalMs),
    };
    this.#row = {
      id,
      name: hostname(),
      loadedWindowMs: this.windows.loadedMs,
      facetWindowMs: this.windows.facetMs,
      bus: bus.kind,
    };
  }

  /**
   * Server time, ms since the epoch: Postgres's clock, by which actions expire, as measured by the beats. Replicas whose own clocks differ tell
   * hosts the same time.
   */
  nowMs(): number {
    return Math.round((this.#epochAtStart ?? performance.timeOrigin) + performance.now());
  }

  /** Names who knows how many hosts this replica holds; beats tell it from then on. */
  countSessionsBy(count: () => number): void {
    this.#sessions = count;
  }

  async onModuleInit(): Promise<void> {
    await this.#beatOnce();
    await buryDeadReplicas(this.#database);
    this.#schedule();
    // Told at once: the next step of a rotation waits for it.
    this.#unwatch = this.#ca.onChange(() => void (this.#beating = this.#beating.then(() => this.#beat())));
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    this.#unwatch?.();
    clearTimeout(this.#timer);
    await this.#beating;
    await endReplica(this.#database, this.id).catch(() => undefined);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#beating = this.#beating.then(() => this.#beat()).finally(() => this.#schedule());
    }, BEAT_MS);
  }

  async #beat(): Promise<void> {
    try {
      await this.#beatOnce();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn(`the database did not take this replica's beat: ${(error as Error).message}`);
      this.#failing = true;
    }
  }

  async #beatOnce(): Promise<void> {
    const askedMs = performance.now();
    const serverMs = await beat(this.#database, this.#row, this.#ca.set, this.#sessions());
    this.#epochAtStart = epochAfter(this.#epochAtStart, { serverMs, askedMs, heardMs: performance.now() });
  }
}
