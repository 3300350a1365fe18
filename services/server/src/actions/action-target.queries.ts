import type { Sql } from '../database/database.service.ts';

/** A host that an action may be meant for. */
export interface TargetRow {
  readonly id: string;
  readonly name: string;
  readonly retired_at: Date | null;
  readonly quarantined_at: Date | null;
  readonly quarantine_reason: string | null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Hosts of an id or a name. Live ones first; a retired one only says why its name is not found any more. */
export function selectTargets(sql: Sql, idOrName: string): Promise<TargetRow[]> {
  const id = UUID.test(idOrName) ? idOrName : null;
  return sql.query<TargetRow>(
    `SELECT id, name, retired_at, quarantined_at, quarantine_reason FROM host WHERE id = $1 OR name = $2
      ORDER BY retired_at IS NOT NULL, id LIMIT 20`,
    [id, idOrName],
  );
}
