import type { Sql } from '../database/database.service.ts';

export interface EventRow {
  readonly id: number;
  readonly at: Date;
  /** With the microseconds that a JavaScript Date has not. */
  readonly at_text: string;
  readonly kmod: string;
  readonly kind: number;
  readonly action_id: string | null;
  readonly source: string;
  readonly detail: Record<string, unknown> | null;
}

export interface EventFilter {
  readonly hostId: string;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly kmod?: string | undefined;
  readonly after?: { readonly at: string; readonly id: number } | undefined;
  readonly limit: number;
}

/** Newest first, by (at, id). Index kmod_event_host_id_at_idx on each partition. */
export function selectHostEvents(sql: Sql, filter: EventFilter): Promise<EventRow[]> {
  return sql.query<EventRow>(
    `SELECT e.id, e.at, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at_text, k.name AS kmod, e.kind, e.action_id,
            e.source, e.detail
       FROM kmod_event e JOIN kmod k ON k.id = e.kmod_id
      WHERE e.host_id = $1
        AND ($2::timestamptz IS NULL OR e.at >= $2)
        AND ($3::timestamptz IS NULL OR e.at < $3)
        AND ($4::text IS NULL OR k.name = $4)
        AND ($5::timestamptz IS NULL OR (e.at, e.id) < ($5, $6::bigint))
      ORDER BY e.at DESC, e.id DESC
      LIMIT $7`,
    [
      filter.hostId,
      filter.since ?? null,
      filter.until ?? null,
      filter.kmod ?? null,
      filter.after?.at ?? null,
      filter.after?.id ?? null,
      filter.limit,
    ],
  );
}

/** The transaction's time. */
export async function selectTime(sql: Sql): Promise<Date> {
  const rows = await sql.query<{ now: Date }>('SELECT now() AS now');
  if (rows[0] === undefined) throw new Error('Postgres did not say what time it is');
  return rows[0].now;
}
