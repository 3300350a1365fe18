import { randomUUID } from 'node:crypto';
import type { ServerConfig } from '../config/server-config.ts';
import { databaseTime } from '../database/clock.queries.ts';
import type { DatabaseService } from '../database/database.service.ts';
import { openKeptKeys } from '../keys/kept-keys.ts';
import { AuditService } from './audit.service.ts';

/** For commands on the server's own machine: a writer of its own, with the server's key. @throws KeyFileError where there is none. */
export async function localAudit(
  config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase'>,
  database: DatabaseService,
): Promise<AuditService> {
  const keys = openKeptKeys(config);
  const offset = (await databaseTime(database)).getTime() - performance.now();
  const clock = { id: randomUUID(), nowMs: () => Math.round(offset + performance.now()) };
  return new AuditService(database, clock, keys.sealKey('audit'));
}
