import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { z } from 'zod';
import { requireOnHost } from '../access/allowed.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import { RETIRED_CHANNEL } from '../agent-session/session-mail.ts';
import type { LabelResult, RetiredHost } from '../api-types.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus } from '../bus/bus.ts';
import type { Sql } from '../database/database.service.ts';
import { resolveTarget } from '../selectors/target.ts';
import { lockLabels, retireHost, updateLabels } from './host-changes.queries.ts';
import { findHost, hostRetired } from './host-lookup.ts';
import type { labelHostsBody } from './hosts.schema.ts';

/** A retired agent that comes back is turned away; this keeps it from doing so at once. */
const RETIRED_RETURN_MS = 60_000;
const HOSTS_SHOWN = 1_000;

/** Changes to hosts on the server's side: labels and retirement. */
@Injectable()
export class HostChangesService implements OnModuleInit, OnModuleDestroy {
  readonly #gateway: AgentGateway;
  readonly #bus: Bus;
  readonly #audit: AuditService;
  readonly #logger = new Logger('hosts');
  #unsubscribe: (() => void) | undefined;

  constructor(
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(Bus) bus: Bus,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#gateway = gateway;
    this.#bus = bus;
    this.#audit = audit;
  }

  onModuleInit(): void {
    this.#unsubscribe = this.#bus.subscribe(RETIRED_CHANNEL, (hostId) => this.#endSession(hostId));
  }

  onModuleDestroy(): void {
    this.#unsubscribe?.();
  }

  /**
   * Labels decide who may do what with a host (a grant may be narrowed by them), so a host may be moved only by who holds both ends: its labels before and
   * after are looked at, on rows that are held.
   *
   * @throws SelectorError; AppError host_not_found, host_ambiguous, host_retired, forbidden.
   */
  async label(
    sql: Sql,
    body: z.output<typeof labelHostsBody>,
    caller: Caller,
    source: AuditSource,
  ): Promise<Omit<LabelResult, 'freeze'>> {
    const { hosts, unknown } = await resolveTarget(sql, body, scopeOf(caller, 'read'));
    const entries = Object.entries(body.labels);
    const set = Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null));
    const remove = entries.filter(([, value]) => value === null).map(([key]) => key);
    const ids = hosts.map((host) => host.id);
    if (scopeOf(caller, 'hosts') !== 'all') {
      for (const { name, labels } of await lockLabels(sql, ids)) {
        const after = Object.fromEntries(
          Object.entries({ ...labels, ...set }).filter(([key]) => !remove.includes(key)),
        );
        for (const each of [labels, after]) requireOnHost(caller, 'hosts', { name, labels: each });
      }
    }
    const changed = await updateLabels(sql, ids, set, remove);
    await this.#audit.record(sql, source, {
      what: 'host.label',
      selector: body.all === true ? '--all' : body.selector,
      hosts: changed.map((host) => host.id),
      details: { labels: body.labels },
    });
    return { matched: hosts.length, changed: changed.length, hosts: changed.slice(0, HOSTS_SHOWN), unknown };
  }

  /**
   * Retires a host for good: its id is never used again, and its certificate is good for nothing any more. Call {@link announceRetired} after the commit.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, forbidden.
   */
  async retire(
    sql: Sql,
    idOrName: string,
    caller: Caller,
    source: AuditSource,
    reason: string | null,
  ): Promise<Omit<RetiredHost, 'freeze'>> {
    const found = await findHost(sql, idOrName, scopeOf(caller, 'read'));
    requireOnHost(caller, 'hosts', found);
    const { id, name } = found;
    const by = caller.name;
    const { retired_at: retiredAt, changed } = await retireHost(sql, id, by, reason);
    if (!changed) throw hostRetired({ id, name, retiredAt });
    await this.#audit.record(sql, source, { what: 'host.retire', object: id, hosts: [id], reason, details: { name } });
    return { host: { id, name }, retiredAt: retiredAt.toISOString(), retiredBy: by, reason };
  }

  /** Ends the host's session wherever it is held; a lost message costs nothing but time: the row keeps the host out. */
  async announceRetired(hostId: string): Promise<void> {
    this.#endSession(hostId);
    try {
      await this.#bus.publish(RETIRED_CHANNEL, hostId);
    } catch (error) {
      this.#logger.warn({ message: 'the other replicas were not told of a retirement', hostId, err: error });
    }
  }

  #endSession(hostId: string): void {
    this.#gateway.send(hostId, { $case: 'reconnect', value: { afterMs: RETIRED_RETURN_MS, reason: 'retired' } });
  }
}
