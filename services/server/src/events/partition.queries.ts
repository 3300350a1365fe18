/** Partitions of kmod_event: one a week from Monday, UTC; made ahead, dropped when the retention has passed. */
import type { Sql } from '../database/database.service.ts';

/** A week that partitions are wanted for. */
export interface PartitionWeek {
  readonly name: string;
  /** ISO times. */
  readonly from: string;
  readonly to: string;
}

const WEEKS_BEHIND = 1;
const WEEKS_AHEAD = 4;

/** The weeks around Postgres's now: one behind (events arrive late), four ahead (a job may fail for a month). */
export async function wantedWeeks(sql: Sql): Promise<PartitionWeek[]> {
  return sql.query<PartitionWeek>(
    `SELECT 'kmod_event_' || to_char(w, 'YYYYMMDD') AS name,
            to_char(w, 'YYYY-MM-DD"T00:00:00Z"') AS "from", to_char(w + interval '7 days', 'YYYY-MM-DD"T00:00:00Z"') AS "to"
       FROM generate_series(date_trunc('week', now() AT TIME ZONE 'UTC') - make_interval(weeks => $1),
                            date_trunc('week', now() AT TIME ZONE 'UTC') + make_interval(weeks => $2), interval '7 days') AS w`,
    [WEEKS_BEHIND, WEEKS_AHEAD],
  );
}

/** Existing weekly partitions, by name. */
export async function existingPartitions(sql: Sql): Promise<{ name: string }[]> {
  return sql.query(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'kmod_event'::regclass AND c.relname ~ '^kmod_event_[0-9]{8}$' ORDER BY 1`,
  );
}

/** One maker at a time; the number: "part" in ASCII. */
export async function lockPartitions(sql: Sql): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [0x70617274]);
}

/**
 * Makes one partition. Rows of that week that already went to the default partition move along. Rejected: CREATE TABLE … PARTITION OF, which fails
 * while such rows exist. `week` comes from {@link wantedWeeks}, so its texts are safe in SQL.
 */
export async function createPartition(sql: Sql, week: PartitionWeek): Promise<void> {
  await sql.query(`CREATE TABLE ${week.name} (LIKE kmod_event INCLUDING ALL)`);
  await sql.query(
    `WITH moved AS (DELETE FROM kmod_event_default WHERE at >= '${week.from}' AND at < '${week.to}' RETURNING *) INSERT INTO ${week.name} SELECT * FROM moved`,
  );
  await sql.query(
    `ALTER TABLE kmod_event ATTACH PARTITION ${week.name} FOR VALUES FROM ('${week.from}') TO ('${week.to}')`,
  );
}

/** Names of partitions that hold nothing younger than the retention. */
export async function expiredPartitions(sql: Sql, retentionDays: number): Promise<string[]> {
  const partitions = await existingPartitions(sql);
  const [row] = await sql.query<{ before: string }>(
    `SELECT to_char((now() AT TIME ZONE 'UTC') - make_interval(days => $1 + 7), 'YYYYMMDD') AS before`,
    [retentionDays],
  );
  return partitions
    .map((partition) => partition.name)
    .filter((name) => name.slice('kmod_event_'.length) <= (row?.before ?? ''));
}

/** Gives up after 2 s without the lock that dropping takes: ingest must not wait behind it. */
export async function dropPartition(sql: Sql, name: string): Promise<void> {
  await sql.query(`SET LOCAL lock_timeout = '2s'`);
  await sql.query(`DROP TABLE ${name}`);
}

/** What the default partition holds beyond the retention. */
export async function pruneDefaultPartition(sql: Sql, retentionDays: number): Promise<void> {
  await sql.query('DELETE FROM kmod_event_default WHERE at < now() - make_interval(days => $1)', [retentionDays]);
}
