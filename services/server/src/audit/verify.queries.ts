import type { Sql } from '../database/database.service.ts';
import { ROW_COLUMNS } from './audit-read.queries.ts';
import type { SealedRow } from './audit.model.ts';
import type { SealedRange } from './seal.model.ts';

/** What the table holds of one lane. */
export interface LaneCensus {
  readonly replicaId: string;
  readonly lane: number;
  readonly first: number;
  readonly last: number;
  readonly rows: number;
}

/** A verification reads everything: its statements may take long. For the transaction that it runs in. */
export async function allowLongStatements(sql: Sql): Promise<void> {
  await sql.query('SET LOCAL statement_timeout = 0');
}

export function selectCensus(sql: Sql): Promise<LaneCensus[]> {
  return sql.query<LaneCensus>(
    `SELECT replica_id AS "replicaId", lane, min(number) AS first, max(number) AS last, count(*) AS rows
       FROM audit.entry GROUP BY replica_id, lane ORDER BY replica_id, lane`,
  );
}

/** The rows of ranges, in the order of the ranges; `range` is the index of the row's. */
export function selectRanges(
  sql: Sql,
  ranges: readonly SealedRange[],
): Promise<(SealedRow & { readonly range: number })[]> {
  return sql.query(
    `SELECT ${ROW_COLUMNS}, (r.ord - 1)::int AS range
       FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS r (replica_id, lane, first, last, ord)
       JOIN audit.entry e ON e.replica_id = r.replica_id AND e.lane = r.lane AND e.number BETWEEN r.first AND r.last
      ORDER BY r.ord, e.number`,
    [
      ranges.map(({ replicaId }) => replicaId),
      ranges.map(({ lane }) => lane),
      ranges.map(({ from }) => from),
      ranges.map(({ to }) => to),
    ],
  );
}

export interface Protection {
  readonly role: string;
  readonly superuser: boolean;
  readonly ownsTables: boolean;
  readonly ownsSchema: boolean;
  readonly mayChange: boolean;
  readonly triggersOff: boolean;
}

/** What the role of this connection could do to the audit log. */
export async function selectProtection(sql: Sql): Promise<Protection> {
  const [row] = await sql.query<Protection>(
    `SELECT current_user::text AS role,
            (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
            (SELECT bool_or(pg_has_role(current_user, relowner, 'MEMBER')) FROM pg_class WHERE oid IN ('audit.entry'::regclass, 'audit.seal'::regclass)) AS "ownsTables",
            (SELECT pg_has_role(current_user, nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'audit') AS "ownsSchema",
            (SELECT bool_or(has_table_privilege(t, 'UPDATE, DELETE, TRUNCATE, TRIGGER')) FROM unnest(ARRAY['audit.entry', 'audit.seal']) AS t) AS "mayChange",
            (SELECT count(*) <> 2 FROM pg_trigger
              WHERE tgrelid IN ('audit.entry'::regclass, 'audit.seal'::regclass) AND tgname LIKE '%append_only' AND tgenabled IN ('O', 'A')) AS "triggersOff"`,
  );
  if (row === undefined) throw new Error('Postgres did not say what this role may do');
  return row;
}
