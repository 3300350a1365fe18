import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Labels } from '../access/host-scope.ts';
import { SqlParams } from '../database/sql-params.ts';
import type { Sql } from '../database/database.service.ts';

export interface FoundHost {
  readonly id: string;
  readonly name: string;
  readonly retiredAt: Date | null;
  readonly quarantinedAt: Date | null;
  readonly quarantineReason: string | null;
  readonly labels: Labels;
  readonly revokedAt: Date | null;
  readonly revokeReason: string | null;
}

/** A tombstone. */
export interface RetiredHostRow {
  readonly id: string;
  readonly name: string;
  readonly retiredAt: Date;
}

const COLUMNS = `h.id, h.name, h.retired_at AS "retiredAt", h.quarantined_at AS "quarantinedAt", h.quarantine_reason AS "quarantineReason", h.labels,
  h.revoked_at AS "revokedAt", h.revoke_reason AS "revokeReason"`;
/** Names to look for one like another in; in a larger fleet only the first are considered. */
const NAMES_LIMIT = 5_000;

/** Retired hosts too. */
export async function hostOfId(sql: Sql, id: string, scope: HostScope): Promise<FoundHost | undefined> {
  const params = new SqlParams();
  const text = `SELECT ${COLUMNS} FROM host h WHERE h.id = ${params.add(id)} AND ${scopeCondition(scope, params)}`;
  return (await sql.query<FoundHost>(text, params.values))[0];
}

/** Hosts that are not retired, the one that joined first comes first. */
export function hostsOfName(sql: Sql, name: string, scope: HostScope): Promise<FoundHost[]> {
  const params = new SqlParams();
  return sql.query<FoundHost>(
    `SELECT ${COLUMNS} FROM host h WHERE h.name = ${params.add(name)} AND h.retired_at IS NULL AND ${scopeCondition(scope, params)}
      ORDER BY h.enrolled_at, h.id`,
    params.values,
  );
}

/** Tombstones, the one that was retired last comes first. */
export function retiredHostsOfName(sql: Sql, name: string, scope: HostScope): Promise<RetiredHostRow[]> {
  const params = new SqlParams();
  return sql.query<RetiredHostRow>(
    `SELECT h.id, h.name, h.retired_at AS "retiredAt" FROM host h
      WHERE h.name = ${params.add(name)} AND h.retired_at IS NOT NULL AND ${scopeCondition(scope, params)} ORDER BY h.retired_at DESC, h.id`,
    params.values,
  );
}

export async function hostNames(sql: Sql, scope: HostScope): Promise<string[]> {
  const params = new SqlParams();
  const rows = await sql.query<{ name: string }>(
    `SELECT DISTINCT h.name FROM host h WHERE h.retired_at IS NULL AND ${scopeCondition(scope, params)} ORDER BY h.name LIMIT ${params.add(NAMES_LIMIT)}`,
    params.values,
  );
  return rows.map((row) => row.name);
}
