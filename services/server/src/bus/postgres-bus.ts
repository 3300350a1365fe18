/**
 * The bus over LISTEN/NOTIFY: one listening connection a replica, on DATABASE_DIRECT_URL, to two channels: its own and everybody's.
 */
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { ServerConfig } from '../config/server-config.ts';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { NotificationListener } from '../database/notification-listener.ts';
import { Bus, type BusHandler, replicaChannel } from './bus.ts';
import { encodeMessage, replicaOf } from './bus-message.ts';
import { Delivery } from './delivery.ts';
import { notify } from './notify.queries.ts';

const EVERYBODY = 'modfleet_all';

export class PostgresBus extends Bus implements OnApplicationBootstrap, OnApplicationShutdown {
  override readonly kind = 'postgres';
  readonly #log = new Logger('Bus');
  readonly #database: DatabaseService;
  readonly #listener: NotificationListener;
  readonly #delivery: Delivery;

  constructor(config: Pick<ServerConfig, 'databaseDirectUrl'>, database: DatabaseService, replicaId: string) {
    super();
    this.#database = database;
    this.#delivery = new Delivery(replicaId);
    this.#listener = new NotificationListener({
      url: config.databaseDirectUrl,
      channels: [EVERYBODY, postgresName(replicaChannel(replicaId))],
      onNotification: (payload) => this.#delivery.receive(payload),
      onResumed: () => this.#delivery.resumed(),
      onLost: (error) =>
        this.#log.warn(`the wake-up connection to Postgres is gone, trying again (${error?.message ?? 'closed'})`),
    });
  }

  override get problem(): string | undefined {
    return this.#listener.listens ? undefined : 'no wake-up connection to PostgreSQL';
  }

  override async publish(channel: string, payload: string): Promise<void> {
    await notifyOnce(this.#database, channel, payload);
  }

  override subscribe(channel: string, handler: BusHandler): () => void {
    return this.#delivery.add(channel, handler);
  }

  override onResumed(handler: () => void): () => void {
    return this.#delivery.onResumed(handler);
  }

  onApplicationBootstrap(): Promise<void> {
    return this.#listener.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.#listener.stop();
  }
}

/** Publishes to replicas that listen on Postgres. */
export async function notifyOnce(sql: Sql, channel: string, payload: string): Promise<void> {
  await notify(sql, postgresName(channel), encodeMessage(channel, payload));
}

/** Postgres's name of a channel: at most 63 bytes. */
function postgresName(channel: string): string {
  const replica = replicaOf(channel);
  return replica === undefined ? EVERYBODY : `modfleet_${replica}`;
}
