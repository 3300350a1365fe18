import { Inject, Injectable, Logger } from '@nestjs/common';
import { SessionRegistry } from '../agent-session/session-registry.service.ts';
import type { ReleasedHost, RevokedHost } from '../api-types.ts';
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

  constructor(@Inject(SessionRegistry) registry: SessionRegistry) {
    this.#registry = registry;
  }

  /**
   * From the commit on no certificate of the host is good for anything. Call {@link announceRevoked} then.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, host_revoked.
   */
  async revoke(sql: Sql, idOrName: string, by: string, reason: string): Promise<Omit<RevokedHost, 'freeze'>> {
    const host = await this.#find(sql, idOrName);
    const revokedAt = await revokeHost(sql, host.id, by, reason);
    if (revokedAt === undefined) throw hostRevoked(host);
    return { host: { id: host.id, name: host.name }, revokedAt: revokedAt.toISOString(), revokedBy: by, reason };
  }

  /**
   * Lets a host act again: somebody has seen to it that one machine alone has its identity. If two still have, that shows again. Call
   * {@link announceReleased} after the commit.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, host_revoked, host_not_quarantined.
   */
  async release(sql: Sql, idOrName: string, by: string, reason: string | null): Promise<Omit<ReleasedHost, 'freeze'>> {
    const { id, name, quarantineReason, ...host } = await this.#find(sql, idOrName);
    if (host.revokedAt !== null) throw hostRevoked({ id, name, ...host });
    const machines = (await sightingsOf(sql, id)).map(toSighting);
    if (!(await releaseHost(sql, id)))
      throw new AppError('host_not_quarantined', `${name} (${id}) is not in quarantine`);
    return { host: { id, name }, quarantineReason: quarantineReason ?? '', machines, releasedBy: by, reason };
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

  async #find(sql: Sql, idOrName: string): Promise<FoundHost> {
    const host = await findHost(sql, idOrName);
    if (host.retiredAt !== null) throw hostRetired({ ...host, retiredAt: host.retiredAt });
    return host;
  }
}
