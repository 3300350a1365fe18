import { Inject, Injectable, Logger } from '@nestjs/common';
import { requireOnHost } from '../access/allowed.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { SessionRegistry } from '../agent-session/session-registry.service.ts';
import type { ReleasedHost, RevokedHost } from '../api-types.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { sightingsOf } from '../quarantine/quarantine.queries.ts';
import { releaseHost, revokeHost } from './host-access.queries.ts';
import { findHost, hostRetired, hostRevoked, type FoundHost } from './host-lookup.ts';
import { toSighting } from './host.mapper.ts';

/** Takes hosts their access, and lets them out of quarantine. */
@Injectable()
export class HostAccessService {
  readonly #log = new Logger('hosts');
  readonly #registry: SessionRegistry;
  readonly #audit: AuditService;

  constructor(@Inject(SessionRegistry) registry: SessionRegistry, @Inject(AuditService) audit: AuditService) {
    this.#registry = registry;
    this.#audit = audit;
  }

  /**
   * From the commit on no certificate of the host is good for anything. Call {@link announceRevoked} then.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, host_revoked, forbidden.
   */
  async revoke(
    sql: Sql,
    idOrName: string,
    caller: Caller,
    source: AuditSource,
    reason: string,
  ): Promise<Omit<RevokedHost, 'freeze'>> {
    const host = await this.#find(sql, idOrName, caller);
    const { id, name } = host;
    const revokedAt = await revokeHost(sql, id, caller.name, reason);
    if (revokedAt === undefined) throw hostRevoked(host);
    await this.#audit.record(sql, source, { what: 'host.revoke', object: id, hosts: [id], reason, details: { name } });
    return { host: { id, name }, revokedAt: revokedAt.toISOString(), revokedBy: caller.name, reason };
  }

  /**
   * Lets a host act again: somebody has seen to it that one machine alone has its identity. If two still have, that shows again. Call
   * {@link announceReleased} after the commit.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, host_revoked, host_not_quarantined, forbidden.
   */
  async release(
    sql: Sql,
    idOrName: string,
    caller: Caller,
    source: AuditSource,
    reason: string | null,
  ): Promise<Omit<ReleasedHost, 'freeze'>> {
    const host = await this.#find(sql, idOrName, caller);
    const { id, name } = host;
    if (host.revokedAt !== null) throw hostRevoked(host);
    const machines = (await sightingsOf(sql, id)).map(toSighting);
    if (!(await releaseHost(sql, id)))
      throw new AppError('host_not_quarantined', `${name} (${id}) is not in quarantine`);
    const quarantineReason = host.quarantineReason ?? '';
    const details = { name, quarantineReason, addresses: machines.map(({ address }) => address) };
    await this.#audit.record(sql, source, { what: 'host.release', object: id, hosts: [id], reason, details });
    return { host: { id, name }, quarantineReason, machines, releasedBy: caller.name, reason };
  }

  announceRevoked(hostId: string): Promise<void> {
    return this.#announce('a revocation', hostId, () => this.#registry.announceRevocation(hostId));
  }

  announceReleased(hostId: string): Promise<void> {
    return this.#announce('a release', hostId, () => this.#registry.announceRelease(hostId));
  }

  /** A lost message costs two seconds: the sweep of sessions finds the row. */
  async #announce(what: string, hostId: string, announce: () => Promise<void>): Promise<void> {
    this.#log.log({ message: `${what} of a host`, hostId });
    try {
      await announce();
    } catch (error) {
      this.#log.warn({ message: `the replicas were not told of ${what}`, hostId, err: error });
    }
  }

  async #find(sql: Sql, idOrName: string, caller: Caller): Promise<FoundHost> {
    const host = await findHost(sql, idOrName, scopeOf(caller, 'read'));
    requireOnHost(caller, 'hosts', host);
    if (host.retiredAt !== null) throw hostRetired({ ...host, retiredAt: host.retiredAt });
    return host;
  }
}
