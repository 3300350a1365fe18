/**
 * The bus over LISTEN/NOTIFY.
 *
 * INVARIANTS
 * - One connection a replica listens, on DATABASE_DIRECT_URL (a transaction pooler loses LISTEN), to two channels: its own and everybody's.
 * - A broken connection is opened anew for as long as the process lives, with jitter; after each new one `onResumed` is told, because
 *   messages sent meanwhile are lost.
 * - A silent network death is noticed: every 10 s of quiet the connection must answer a query within 5 s.
 */
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { BUS_PAYLOAD_MAX_BYTES, Bus, type BusHandler, replicaChannel } from './bus.ts';
import { Subscriptions } from './subscriptions.ts';

const EVERYBODY = 'modfleet_all';
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
const PROBE_INTERVAL_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

@Injectable()
export class PostgresBus extends Bus implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger('Bus');
  readonly #database: DatabaseService;
  readonly #url: string;
  readonly #ownChannel: string;
  readonly #ownName: string;
  readonly #subscriptions = new Subscriptions((error, channel) => this.#log.error(`a handler of ${channel} failed`, error as Error));
  readonly #resumed = new Set<() => void>();
  #client: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  #connectedOnce = false;

  constructor(
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'databaseDirectUrl'>,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(REPLICA_ID) replicaId: string,
  ) {
    super();
    this.#url = config.databaseDirectUrl;
    this.#database = database;
    this.#ownChannel = replicaChannel(replicaId);
    this.#ownName = channelName(this.#ownChannel);
  }

  override async publish(channel: string, payload: string): Promise<void> {
    const text = JSON.stringify([channel, payload]);
    if (Buffer.byteLength(text) > BUS_PAYLOAD_MAX_BYTES) throw new RangeError(`a bus message has at most ${BUS_PAYLOAD_MAX_BYTES} bytes`);
    await this.#database.query('SELECT pg_notify($1, $2)', [channelName(channel), text]);
  }

  override subscribe(channel: string, handler: BusHandler): () => void {
    return this.#subscriptions.add(channel, handler);
  }

  override onResumed(handler: () => void): () => void {
    this.#resumed.add(handler);
    return () => void this.#resumed.delete(handler);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#connect();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#probe);
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: PROBE_TIMEOUT_MS,
      query_timeout: PROBE_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'modfleet-bus',
    });
    client.on('notification', (message) => this.#receive(message.payload));
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, undefined));
    try {
      await client.connect();
      await client.query(`LISTEN ${pg.escapeIdentifier(EVERYBODY)}`);
      await client.query(`LISTEN ${pg.escapeIdentifier(this.#ownName)}`);
    } catch (error) {
      this.#client = client;
      this.#lost(client, error as Error);
      return;
    }
    if (this.#stopped) return void client.end().catch(() => undefined);
    this.#client = client;
    this.#failures = 0;
    clearInterval(this.#probe);
    this.#probe = setInterval(() => void client.query('SELECT 1').catch((error: Error) => this.#lost(client, error)), PROBE_INTERVAL_MS);
    this.#probe.unref();
    if (this.#connectedOnce) for (const handler of [...this.#resumed]) handler();
    this.#connectedOnce = true;
  }

  #lost(client: pg.Client, error: Error | undefined): void {
    if (this.#client !== client || this.#stopped) return;
    this.#client = undefined;
    clearInterval(this.#probe);
    if (this.#failures === 0) this.#log.warn(`the wake-up connection to Postgres is gone, trying again (${error?.message ?? 'closed'})`);
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => void this.#connect(), ceiling * (0.5 + Math.random() / 2));
    void client.end().catch(() => undefined);
  }

  #receive(text: string | undefined): void {
    try {
      const [channel, payload] = JSON.parse(text ?? '') as [string, string];
      if (channel.startsWith('replica:') && channel !== this.#ownChannel) return;
      this.#subscriptions.deliver(channel, payload);
    } catch {
      this.#log.warn('a notification that is none of ours was ignored');
    }
  }
}

/** Postgres's name of a channel: at most 63 bytes. */
function channelName(channel: string): string {
  return channel.startsWith('replica:') ? `modfleet_${channel.slice('replica:'.length)}` : EVERYBODY;
}
