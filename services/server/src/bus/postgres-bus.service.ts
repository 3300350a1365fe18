/**
 * The bus over LISTEN/NOTIFY: one listening connection a replica, on DATABASE_DIRECT_URL, to two channels: its own and everybody's.
 */
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { NotificationListener } from '../database/notification-listener.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { BUS_PAYLOAD_MAX_BYTES, Bus, type BusHandler, replicaChannel } from './bus.ts';
import { Subscriptions } from './subscriptions.ts';

const EVERYBODY = 'modfleet_all';

@Injectable()
export class PostgresBus extends Bus implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger('Bus');
  readonly #database: DatabaseService;
  readonly #ownChannel: string;
  readonly #listener: NotificationListener;
  readonly #resumed = new Set<() => void>();
  readonly #subscriptions = new Subscriptions((error, channel) =>
    this.#log.error(`a handler of ${channel} failed`, error as Error),
  );

  constructor(
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'databaseDirectUrl'>,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(REPLICA_ID) replicaId: string,
  ) {
    super();
    this.#database = database;
    this.#ownChannel = replicaChannel(replicaId);
    this.#listener = new NotificationListener({
      url: config.databaseDirectUrl,
      channels: [EVERYBODY, postgresName(this.#ownChannel)],
      onNotification: (payload) => this.#receive(payload),
      onResumed: () => {
        for (const handler of this.#resumed) handler();
      },
      onLost: (error) =>
        this.#log.warn(`the wake-up connection to Postgres is gone, trying again (${error?.message ?? 'closed'})`),
    });
  }

  override async publish(channel: string, payload: string): Promise<void> {
    await publishOnce(this.#database, channel, payload);
  }

  override subscribe(channel: string, handler: BusHandler): () => void {
    return this.#subscriptions.add(channel, handler);
  }

  override onResumed(handler: () => void): () => void {
    this.#resumed.add(handler);
    return () => void this.#resumed.delete(handler);
  }

  onApplicationBootstrap(): Promise<void> {
    return this.#listener.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.#listener.stop();
  }

  #receive(text: string): void {
    const message = parse(text);
    if (message === undefined) {
      this.#log.warn('a notification that is none of ours was ignored');
      return;
    }
    const [channel, payload] = message;
    if (channel.startsWith('replica:') && channel !== this.#ownChannel) return;
    this.#subscriptions.deliver(channel, payload);
  }
}

/** Publishes without a bus, for a command that is no server. */
export async function publishOnce(sql: Sql, channel: string, payload: string): Promise<void> {
  const text = JSON.stringify([channel, payload]);
  if (Buffer.byteLength(text) > BUS_PAYLOAD_MAX_BYTES)
    throw new RangeError(`a bus message has at most ${BUS_PAYLOAD_MAX_BYTES} bytes`);
  await sql.query('SELECT pg_notify($1, $2)', [postgresName(channel), text]);
}

function parse(text: string): [string, string] | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (!Array.isArray(message) || message.length !== 2) return undefined;
    const [channel, payload] = message as unknown[];
    return typeof channel === 'string' && typeof payload === 'string' ? [channel, payload] : undefined;
  } catch {
    return undefined;
  }
}

/** Postgres's name of a channel: at most 63 bytes. */
function postgresName(channel: string): string {
  return channel.startsWith('replica:') ? `modfleet_${channel.slice('replica:'.length)}` : EVERYBODY;
}
