import type { Sql } from '../database/database.service.ts';

export interface FoundHost {
  readonly id: string;
  readonly name: string;
  readonly retiredAt: Date | null;
  readonly quarantinedAt: Date | null;
  readonly quarantineReason: string | null;
}

/** A tombstone. */
export interface RetiredHostRow {
  readonly id: string;
  readonly name: string;
  readonly retiredAt: Date;
}

const COLUMNS = `id, name, retired_at AS "retiredAt", quarantined_at AS "quarantinedAt", quarantine_reason AS "quarantineReason"`;
/** Names to look for one like another in; in a larger fleet only the first are considered. */
const NAMES_LIMIT = 5_000;

/** Retired hosts too. */
export async function hostOfId(sql: Sql, id: string): Promise<FoundHost | undefined> {
  return (await sql.query<FoundHost>(`SELECT ${COLUMNS} FROM host WHERE id = $1`, [id]))[0];
}

/** Hosts that are not retired, the one that joined first comes first. */
export function hostsOfName(sql: Sql, name: string): Promise<FoundHost[]> {
  return sql.query<FoundHost>(
    `SELECT ${COLUMNS} FROM host WHERE name = $1 AND retired_at IS NULL ORDER BY enrolled_at, id`,
    [name],
  );
}

/** Tombstones, the one that was retired last comes first. */
export function retiredHostsOfName(sql: Sql, name: string): Promise<RetiredHostRow[]> {
  return sql.query<RetiredHostRow>(
    'SELECT id, name, retired_at AS "retiredAt" FROM host WHERE name = $1 AND retired_at IS NOT NULL ORDER BY retired_at DESC, id',
    [name],
  );
}

export async function hostNames(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    'SELECT DISTINCT name FROM host WHERE retired_at IS NULL ORDER BY name LIMIT $1',
    [NAMES_LIMIT],
  );
  return rows.map((row) => row.name);
}
