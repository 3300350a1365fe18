/** Partitions of what is kept by time: one a week from Monday, UTC; made ahead, dropped when the retention has passed. */
import type { Sql } from '../database/database.service.ts';

/** What is partitioned, and by which time. Each has a default partition `TABLE_default`. */
export const HISTORY_TABLES = { kmod_event: 'at', host_seen: 'seen_until' } as const;
export type HistoryTable = keyof typeof HISTORY_TABLES;

/** A week that partitions are wanted for. */
export interface PartitionWeek {
  readonly name: string;
  /** ISO times. */
  readonly from: string;
  readonly to: string;
}

const WEEKS_BEHIND = 1;
const WEEKS_AHEAD = 4;

/**
 * Nobody waits longer behind the locks that making and dropping take: whoever writes queues up behind one that waits. It is tried again.
 * Rejected: DETACH PARTITION CONCURRENTLY, which Postgres refuses for a table that has a default partition.
 */
const LOCK_TIMEOUT = '100ms';

/** The weeks around Postgres's now: one behind (events arrive late), four ahead (a job may fail for a month). */
export async function wantedWeeks(sql: Sql, table: HistoryTable): Promise<PartitionWeek[]> {
  return sql.query<PartitionWeek>(
    `SELECT $3 || '_' || to_char(w, 'YYYYMMDD') AS name,
            to_char(w, 'YYYY-MM-DD"T00:00:00Z"') AS "from", to_char(w + interval '7 days', 'YYYY-MM-DD"T00:00:00Z"') AS "to"
       FROM generate_series(date_trunc('week', now() AT TIME ZONE 'UTC') - make_interval(weeks => $1),
                            date_trunc('week', now() AT TIME ZONE 'UTC') + make_interval(weeks => $2), interval '7 days') AS w`,
    [WEEKS_BEHIND, WEEKS_AHEAD, table],
  );
}

/** Existing weekly partitions, by name. */
export async function existingPartitions(sql: Sql, table: HistoryTable): Promise<{ name: string }[]> {
  return sql.query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = $1::regclass AND c.relname ~ '_[0-9]{8}$' ORDER BY 1`,
    [table],
  );
}

/** One maker at a time; the number: "part" in ASCII. */
export async function lockPartitions(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [0x70617274]);
  await sql.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
}

/**
 * Makes one partition. Rows of that week that already went to the default partition move along. Rejected: CREATE TABLE … PARTITION OF, which fails
 * while such rows exist. `week` comes from {@link wantedWeeks}, so its texts are safe in SQL.
 */
export async function createPartition(sql: Sql, table: HistoryTable, week: PartitionWeek): Promise<void> {
  const time = HISTORY_TABLES[table];
  await sql.query(`CREATE TABLE ${week.name} (LIKE ${table} INCLUDING ALL)`);
  await sql.query(
    `WITH moved AS (DELETE FROM ${table}_default WHERE ${time} >= '${week.from}' AND ${time} < '${week.to}' RETURNING *) INSERT INTO ${week.name} SELECT * FROM moved`,
  );
  await sql.query(
    `ALTER TABLE ${table} ATTACH PARTITION ${week.name} FOR VALUES FROM ('${week.from}') TO ('${week.to}')`,
  );
}

/** Names of partitions that hold nothing younger than the retention. */
export async function expiredPartitions(sql: Sql, table: HistoryTable, retentionDays: number): Promise<string[]> {
  const partitions = await existingPartitions(sql, table);
  const [row] = await sql.query<{ before: string }>(
    `SELECT to_char((now() AT TIME ZONE 'UTC') - make_interval(days => $1 + 7), 'YYYYMMDD') AS before`,
    [retentionDays],
  );
  return partitions.map((partition) => partition.name).filter((name) => name.slice(-8) <= (row?.before ?? ''));
}

export async function dropPartition(sql: Sql, name: string): Promise<void> {
  await sql.query(`DROP TABLE ${name}`);
}

/** What the default partition holds beyond the retention. */
export async function pruneDefaultPartition(sql: Sql, table: HistoryTable, retentionDays: number): Promise<void> {
  await sql.query(`DELETE FROM ${table}_default WHERE ${HISTORY_TABLES[table]} < now() - make_interval(days => $1)`, [
    retentionDays,
  ]);
}
