import type { Sql } from '../database/database.service.ts';

/** What of this database was made under keys that are not in it. */
export interface SealedBefore {
  /** Something is sealed, or recorded under a MAC: under `seal.key`. */
  readonly sealed: boolean;
  /** Hosts that are not retired: each trusts the CA of its server. */
  readonly hosts: number;
}

export async function sealedBefore(sql: Sql): Promise<SealedBefore> {
  const [row] = await sql.query<SealedBefore>(
    `SELECT EXISTS (SELECT 1 FROM audit.entry) OR EXISTS (SELECT 1 FROM account WHERE seal IS NOT NULL)
              OR EXISTS (SELECT 1 FROM api_token WHERE seal IS NOT NULL) AS sealed,
            (SELECT count(*)::int FROM host WHERE retired_at IS NULL) AS hosts`,
  );
  return row ?? { sealed: false, hosts: 0 };
}
