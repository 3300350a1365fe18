import type { Sql } from '../database/database.service.ts';
import type { SealedRow } from './audit.model.ts';

/** A row's columns, as {@link SealedRow} names them. */
export const ROW_COLUMNS = `e.replica_id AS "replicaId", e.lane, e.number, (extract(epoch FROM e.at) * 1000)::bigint AS "atMs", e.actor_kind AS "actorKind",
  e.actor_id AS "actorId", e.actor_name AS "actorName", e.via, e.address, e.request_id AS "requestId", e.what, e.object, e.kmod, e.selector,
  e.target_count AS "targetCount", e.target_root AS "targetRoot", e.host_ids AS "hostIds", e.reason, e.details, e.outcome,
  e.key_digest AS "keyDigest", e.mac`;

/** What a list of rows is narrowed to. */
export interface RowFilter {
  /** Name or id of who decided. */
  readonly who?: string | undefined;
  readonly hostId?: string | undefined;
  readonly kmod?: string | undefined;
  /** A kind of decision, or the word before its dot. */
  readonly what?: string | undefined;
  readonly outcome?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** The last row of the page before. */
  readonly after?: Pick<SealedRow, 'atMs' | 'replicaId' | 'lane' | 'number'> | undefined;
  readonly limit?: number | undefined;
}

/** Newest first. */
export function selectRows(sql: Sql, filter: RowFilter): Promise<SealedRow[]> {
  return sql.query<SealedRow>(
    `SELECT ${ROW_COLUMNS} FROM audit.entry e
      WHERE ($1::text IS NULL OR e.actor_name = $1 OR e.actor_id = $1)
        AND ($2::uuid IS NULL OR (e.target_count = 1 AND e.host_ids[1] = $2) OR (e.target_count > 1 AND $2 = ANY (e.host_ids)))
        AND ($3::text IS NULL OR e.kmod = $3)
        AND ($4::text IS NULL OR e.what = $4 OR starts_with(e.what, $4 || '.'))
        AND ($5::text IS NULL OR e.outcome = $5)
        AND ($6::bigint IS NULL OR e.at >= to_timestamp($6 / 1000.0))
        AND ($7::bigint IS NULL OR e.at < to_timestamp($7 / 1000.0))
        AND ($8::bigint IS NULL OR (e.at, e.replica_id, e.lane, e.number) < (to_timestamp($8 / 1000.0), $9::uuid, $10::int, $11::bigint))
      ORDER BY e.at DESC, e.replica_id DESC, e.lane DESC, e.number DESC
      LIMIT $12`,
    [
      filter.who ?? null,
      filter.hostId ?? null,
      filter.kmod ?? null,
      filter.what ?? null,
      filter.outcome ?? null,
      filter.sinceMs ?? null,
      filter.untilMs ?? null,
      filter.after?.atMs ?? null,
      filter.after?.replicaId ?? null,
      filter.after?.lane ?? null,
      filter.after?.number ?? null,
      filter.limit ?? null,
    ],
  );
}
