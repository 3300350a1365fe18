import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { AppError } from '../errors/app-error.ts';
import { findHost } from '../hosts/host-lookup.ts';
import { parseSelector } from './selector.parser.ts';
import { SELECTOR_JOINS, selectorExpression } from './selector.sql.ts';

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
}

/**
 * The hosts of a target that are not retired, by name and id.
 *
 * @throws SelectorError; AppError host_not_found, host_ambiguous, host_retired.
 */
export async function resolveTarget(sql: Sql, target: Target): Promise<ResolvedTarget> {
  if (target.hosts !== undefined) return { hosts: await namedHosts(sql, target.hosts), unknown: 0 };
  const params = new SqlParams();
  const selector = target.all === true ? [] : parseSelector(target.selector ?? '');
  const expression = await selectorExpression(sql, selector, params);
  const rows = await sql.query<{ id: string; name: string; matches: boolean | null }>(
    `SELECT h.id, h.name, (${expression}) AS matches FROM host h ${SELECTOR_JOINS}
      WHERE h.retired_at IS NULL AND (${expression}) IS NOT FALSE ORDER BY h.name, h.id`,
    params.values,
  );
  return {
    hosts: rows.filter((row) => row.matches === true).map(({ id, name }) => ({ id, name })),
    unknown: rows.filter((row) => row.matches === null).length,
  };
}

async function namedHosts(sql: Sql, names: readonly string[]): Promise<{ id: string; name: string }[]> {
  const found = new Map<string, { id: string; name: string }>();
  for (const name of names) {
    const host = await findHost(sql, name);
    if (host.retiredAt !== null) throw new AppError('host_retired', `the host ${host.name} (${host.id}) is retired`);
    found.set(host.id, { id: host.id, name: host.name });
  }
  return [...found.values()];
}
