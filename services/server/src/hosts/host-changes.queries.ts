import type { Labels } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import { lockNarrowRows } from '../presence/session.queries.ts';

/** Holds the hosts' rows, and their narrow rows, until the transaction ends. In the order of their ids, so that two such changes never wait for each other. */
export async function lockLabels(sql: Sql, hostIds: readonly string[]): Promise<{ name: string; labels: Labels }[]> {
  const rows = await sql.query<{ name: string; labels: Labels }>(
    'SELECT name, labels FROM host WHERE id = ANY ($1::uuid[]) AND retired_at IS NULL ORDER BY id FOR UPDATE',
    [hostIds],
  );
  await lockNarrowRows(sql, hostIds);
  return rows;
}

/** Sets and removes labels; @returns the hosts whose labels are others now, by name. */
export function updateLabels(
  sql: Sql,
  hostIds: readonly string[],
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Promise<{ id: string; name: string }[]> {
  return sql.query<{ id: string; name: string }>(
    `WITH changed AS (
       UPDATE host SET labels = (labels || $2::jsonb) - $3::text[]
        WHERE id = ANY ($1::uuid[]) AND retired_at IS NULL AND labels IS DISTINCT FROM (labels || $2::jsonb) - $3::text[]
       RETURNING id, name)
     SELECT id, name FROM changed ORDER BY name, id`,
    [hostIds, JSON.stringify(set), remove],
  );
}

/** `changed` false: it was retired already, at `retired_at`; nothing is changed then. */
export async function retireHost(
  sql: Sql,
  id: string,
  by: string,
  reason: string | null,
): Promise<{ readonly retired_at: Date; readonly changed: boolean }> {
  const rows = await sql.query<{ retired_at: Date }>(
    `UPDATE host SET retired_at = now(), retired_by = $2, retire_reason = $3 WHERE id = $1 AND retired_at IS NULL RETURNING retired_at`,
    [id, by, reason],
  );
  if (rows[0] !== undefined) return { ...rows[0], changed: true };
  const [earlier] = await sql.query<{ retired_at: Date }>('SELECT retired_at FROM host WHERE id = $1', [id]);
  if (earlier === undefined) throw new Error(`the host ${id} is gone`);
  return { ...earlier, changed: false };
}
