import type { HostScope } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import { findHost, hostRetired } from '../hosts/host-lookup.ts';
import { selectedHosts } from './target.queries.ts';

/** Hosts as a request names them: in exactly one of these ways (common.schema.ts checks that). */
export interface Target {
  readonly selector?: string | undefined;
  readonly all?: true | undefined;
  readonly hosts?: readonly string[] | undefined;
}

export interface ResolvedTarget {
  readonly hosts: readonly { readonly id: string; readonly name: string }[];
  /** Hosts of which a fact in the selector is unknown; they are not in `hosts`. */
  readonly unknown: number;
  /** Their ids. */
  readonly unknownIds: readonly string[];
}

/**
 * The hosts of a target that are in scope and not retired, by name and id.
 *
 * @throws SelectorError; AppError host_not_found, host_ambiguous, host_retired.
 */
export async function resolveTarget(sql: Sql, target: Target, scope: HostScope): Promise<ResolvedTarget> {
  if (target.hosts !== undefined)
    return { hosts: await namedHosts(sql, target.hosts, scope), unknown: 0, unknownIds: [] };
  const rows = await selectedHosts(sql, target.all === true ? undefined : (target.selector ?? ''), scope);
  const unknownIds = rows.filter((row) => row.matches === null).map(({ id }) => id);
  return {
    hosts: rows.filter((row) => row.matches === true).map(({ id, name }) => ({ id, name })),
    unknown: unknownIds.length,
    unknownIds,
  };
}

async function namedHosts(
  sql: Sql,
  names: readonly string[],
  scope: HostScope,
): Promise<{ id: string; name: string }[]> {
  const found = new Map<string, { id: string; name: string }>();
  for (const name of names) {
    const host = await findHost(sql, name, scope);
    if (host.retiredAt !== null) throw hostRetired({ ...host, retiredAt: host.retiredAt });
    found.set(host.id, { id: host.id, name: host.name });
  }
  return [...found.values()];
}
