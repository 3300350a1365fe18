import type { Sql } from '../../services/server/src/database/database.service.ts';

/** Tables beyond hosts, sets and labels: what is told apart in the figures. */
const PARAMETERS = 'host_parameters';
const HISTORY = /^kmod_event|^host_seen/;

export interface Sizes {
  /** Hosts, their sessions and facets, sets and dictionaries; bytes with indexes and TOAST. */
  readonly inventory: number;
  readonly parameters: number;
  readonly history: number;
  /** Table and its bytes, the largest first. */
  readonly tables: readonly (readonly [string, number])[];
}

export async function sizesOf(sql: Sql): Promise<Sizes> {
  const rows = await sql.query<{ name: string; bytes: number }>(
    `SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes FROM pg_class c
      WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 2 DESC`,
  );
  const sum = (which: (name: string) => boolean): number =>
    rows.filter(({ name }) => which(name)).reduce((total, { bytes }) => total + bytes, 0);
  return {
    inventory: sum((name) => name !== PARAMETERS && !HISTORY.test(name)),
    parameters: sum((name) => name === PARAMETERS),
    history: sum((name) => HISTORY.test(name)),
    tables: rows.map(({ name, bytes }) => [name, bytes] as const),
  };
}
