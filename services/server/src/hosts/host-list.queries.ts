import type { HostScope } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import type { JournalDamage } from '../enrollment/host-facts.ts';
import { likeOfGlob, SqlParams } from '../database/sql-params.ts';
import { COVERAGE_COUNT_COLUMNS, type CoverageCounts } from '../presence/coverage.queries.ts';
import { chosen, selectionSql } from '../selectors/selection.queries.ts';

export interface HostFilter {
  readonly scope: HostScope;
  readonly selector?: string | undefined;
  readonly name?: string | undefined;
  readonly includeUnknown: boolean;
  readonly includeRetired: boolean;
}

export interface HostRow {
  readonly id: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly mode: string;
  readonly facts: unknown;
  readonly kernel_release: string;
  readonly arch: string;
  readonly agent_version: string;
  readonly quarantined_at: Date | null;
  readonly quarantine_reason: string | null;
  readonly retired_at: Date | null;
  readonly revoked_at: Date | null;
  readonly revoke_reason: string | null;
  readonly renewal_counter: number;
  readonly certificate_not_after: Date | null;
  readonly renewed_at: Date | null;
  readonly enrolled_at: Date;
  readonly journal_damage: JournalDamage | '';
  readonly journal_damaged_at: Date | null;
  /** 0: the agent says nothing of the CAs that it trusts. */
  readonly trust_generation: number;
  readonly trusted_cas: readonly string[];
  readonly certificate_ca: string;
  readonly live: boolean | null;
  readonly seen_at: Date | null;
  readonly address: string | null;
  readonly boot_id: string | null;
}

/** Columns of {@link HostRow} over `host h LEFT JOIN session_presence p`. */
const HOST_COLUMNS = `h.id, h.name, h.labels, h.mode, h.facts, h.kernel_release, h.arch, h.agent_version, h.quarantined_at, h.quarantine_reason,
  h.retired_at, h.revoked_at, h.revoke_reason, h.renewal_counter, h.certificate_not_after, h.renewed_at, h.enrolled_at, h.journal_damage, h.journal_damaged_at, h.trust_generation, h.trusted_cas, h.certificate_ca, p.live, greatest(p.seen_at, h.last_seen_at) AS seen_at,
  coalesce(nullif(p.address, ''), h.last_address) AS address, coalesce(nullif(p.boot_id, ''), h.last_boot_id) AS boot_id`;

/**
 * @param extra further conditions on `host_standing h`.
 * @param columns of `h`, beside `id` and `matches`.
 */
async function selected(
  sql: Sql,
  filter: HostFilter,
  params: SqlParams,
  extra: readonly string[] = [],
  columns: readonly string[] = [],
): Promise<string> {
  const conditions: string[] = [...extra];
  if (!filter.includeRetired) conditions.push('NOT h.retired');
  if (filter.name !== undefined) conditions.push(`h.name LIKE ${params.add(likeOfGlob(filter.name))}`);
  return selectionSql(sql, filter, params, conditions, columns);
}

/** Counts over all pages, coverage of `loaded` over the hosts that are not retired, and Postgres's time. */
export async function countHosts(
  sql: Sql,
  filter: HostFilter,
): Promise<CoverageCounts & { matched: number; unknown: number; asOf: Date }> {
  const params = new SqlParams();
  const selection = await selected(sql, filter, params, [], ['h.retired', 'h.loaded_coverage AS coverage']);
  const [row] = await sql.query<CoverageCounts & { matched: number; unknown: number; asOf: Date }>(
    `WITH selected AS (${selection}),
          counted AS (SELECT coverage FROM selected WHERE NOT retired AND ${chosen(filter)})
     SELECT (SELECT count(*) FROM selected WHERE matches) AS matched,
            (SELECT count(*) FROM selected WHERE matches IS NULL) AS unknown,
            now() AS "asOf", ${COVERAGE_COUNT_COLUMNS} FROM counted`,
    params.values,
  );
  if (row === undefined) throw new Error('an aggregate without a row');
  return row;
}

/** Hosts after `after` (name, id), one more than `limit` when there is a next page. */
export async function pageOfHosts(
  sql: Sql,
  filter: HostFilter,
  after: readonly (string | number)[] | null,
  limit: number,
): Promise<HostRow[]> {
  const params = new SqlParams();
  const selection = await selected(sql, filter, params);
  const beyond = after === null ? 'true' : `(h.name, h.id) > (${params.add(after[0])}, ${params.add(after[1])}::uuid)`;
  return sql.query<HostRow>(
    `WITH selected AS (${selection})
     SELECT ${HOST_COLUMNS} FROM selected s JOIN host h ON h.id = s.id LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE ${chosen(filter)} AND ${beyond}
      ORDER BY h.name, h.id LIMIT ${params.add(limit + 1)}`,
    params.values,
  );
}

/** Those of the hosts `among` that the filter takes, by (name, id). */
export async function hostsAmong(sql: Sql, filter: HostFilter, among: readonly string[]): Promise<HostRow[]> {
  const params = new SqlParams();
  const selection = await selected(sql, filter, params, [`h.id = ANY (${params.add(among)}::uuid[])`]);
  return sql.query<HostRow>(
    `WITH selected AS (${selection})
     SELECT ${HOST_COLUMNS} FROM selected s JOIN host h ON h.id = s.id LEFT JOIN session_presence p ON p.host_id = h.id
      WHERE ${chosen(filter)} ORDER BY h.name, h.id`,
    params.values,
  );
}

export async function hostById(sql: Sql, id: string): Promise<(HostRow & { asOf: Date }) | undefined> {
  const rows = await sql.query<HostRow & { asOf: Date }>(
    `SELECT ${HOST_COLUMNS}, now() AS "asOf" FROM host h LEFT JOIN session_presence p ON p.host_id = h.id WHERE h.id = $1`,
    [id],
  );
  return rows[0];
}
