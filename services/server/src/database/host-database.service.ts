import { Inject, Injectable } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from './database.service.ts';

/** A host waits half a minute to be welcomed; what it waits for may take most of that. */
const WAIT_MS = 20_000;
/** Of a replica's connections. */
const SHARE = 0.4;

/** How many connections are kept for hosts, of so many in all. */
export function hostsShare(poolSize: number): number {
  return Math.max(1, Math.floor(poolSize * SHARE));
}

/**
 * Connections for what hosts begin by themselves: joins, renewals, sessions. A fleet that comes back at once waits in line for them, longer than a
 * person would; it takes none from people, and is not turned away to come again and wait anew.
 */
@Injectable()
export class HostDatabase extends DatabaseService {
  constructor(
    @Inject(SERVER_CONFIG)
    config: Pick<ServerConfig, 'databaseUrl' | 'dbPoolSize' | 'dbConnectTimeoutMs' | 'dbPreparedStatements'>,
  ) {
    super({
      ...config,
      dbPoolSize: hostsShare(config.dbPoolSize),
      dbConnectTimeoutMs: Math.max(WAIT_MS, config.dbConnectTimeoutMs),
    });
  }
}
