import { SERVER_SOURCE } from '../audit/audit-source.ts';
import type { AuditService } from '../audit/audit.service.ts';
import type { Sql } from '../database/database.service.ts';
import { quarantineClones, type Sighting } from './quarantine.queries.ts';

/**
 * Puts a host into quarantine because two machines have its identity, and records that the server did so. The caller holds the lock of the host's row.
 *
 * @param host its id, and the counter of the certificate that was used last.
 * @returns whether the host was not in quarantine before.
 */
export async function quarantine(
  sql: Sql,
  audit: Pick<AuditService, 'record'>,
  host: { readonly id: string; readonly counter: number },
  reason: string,
  newcomer: Sighting,
): Promise<boolean> {
  const isNew = await quarantineClones(sql, host, reason, newcomer);
  if (isNew)
    await audit.record(sql, SERVER_SOURCE, { what: 'host.quarantine', object: host.id, hosts: [host.id], reason });
  return isNew;
}
