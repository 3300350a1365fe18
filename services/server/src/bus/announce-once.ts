import type { ServerConfig } from '../config/server-config.ts';
import type { Sql } from '../database/database.service.ts';
import type { Publisher } from './bus.ts';
import { natsOnce } from './nats-bus.ts';
import { notifyOnce } from './postgres-bus.ts';

/** Tells running servers something from a command, over what their bus goes over. */
export function announceOnce({ bus }: Pick<ServerConfig, 'bus'>, sql: Sql): Publisher {
  return {
    publish: (channel, payload) =>
      bus.kind === 'nats' ? natsOnce(bus, channel, payload) : notifyOnce(sql, channel, payload),
  };
}
