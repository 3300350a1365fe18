import { requireOnHost } from '../access/allowed.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { findHost, hostRetired, hostRevoked, type FoundHost } from '../hosts/host-lookup.ts';

/**
 * The one host that an action is for. A silent host is fine: the action waits for it until it expires.
 *
 * @throws AppError host_not_found (also for a host that the caller may not read), forbidden, host_ambiguous, host_retired, host_revoked,
 * host_quarantined.
 */
export async function findActionTarget(sql: Sql, idOrName: string, caller: Caller): Promise<FoundHost> {
  const host = await findHost(sql, idOrName, scopeOf(caller, 'read'));
  requireOnHost(caller, 'act', host);
  if (host.retiredAt !== null) throw hostRetired({ ...host, retiredAt: host.retiredAt });
  if (host.revokedAt !== null) throw hostRevoked(host);
  if (host.quarantinedAt !== null) {
    const reason = host.quarantineReason === null ? '' : ` (${host.quarantineReason})`;
    throw new AppError(
      'host_quarantined',
      `${host.name} (${host.id}) is quarantined${reason}: it may report, but nothing is sent to it`,
    );
  }
  return host;
}
