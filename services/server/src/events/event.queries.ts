import type { Sql } from '../database/database.service.ts';

/** An event to be stored. */
export interface NewEvent {
  readonly hostId: string;
  readonly kmodId: number;
  /** 1 loaded, 2 unloaded, 3 changed. */
  readonly kind: number;
  /** Ms before now. */
  readonly ageMs: number;
  readonly actionId: string | null;
  /** uevent, poll, or inventory (found by comparing two inventories). */
  readonly source: string;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** In the order given: ids grow with it. Times are Postgres's now() less the age. */
export async function insertEvents(sql: Sql, events: readonly NewEvent[]): Promise<void> {
  await sql.query(
    `INSERT INTO kmod_event (at, host_id, kmod_id, kind, action_id, source, detail)
     SELECT now() - make_interval(secs => v.age_ms / 1000.0), v.host_id, v.kmod_id, v.kind, v.action_id, v.source, v.detail::jsonb
       FROM unnest($1::float8[], $2::uuid[], $3::int[], $4::smallint[], $5::uuid[], $6::text[], $7::text[]) WITH ORDINALITY
         AS v (age_ms, host_id, kmod_id, kind, action_id, source, detail, place)
      ORDER BY v.place`,
    [
      events.map((event) => event.ageMs),
      events.map((event) => event.hostId),
      events.map((event) => event.kmodId),
      events.map((event) => event.kind),
      events.map((event) => event.actionId),
      events.map((event) => event.source),
      events.map((event) => (event.detail === null ? null : JSON.stringify(event.detail))),
    ],
  );
}
