import type { Sql } from '../database/database.service.ts';

/** Names to choose the nearest from; more would be read for a typo alone. */
const NAMES = 5_000;

/** Whether anybody of this name or id has decided anything, or is here: an account, a token or a host. */
export async function isActorKnown(sql: Sql, who: string): Promise<boolean> {
  const [row] = await sql.query<{ known: boolean }>(
    `SELECT EXISTS (SELECT FROM account WHERE name = $1 OR id::text = $1) OR EXISTS (SELECT FROM api_token WHERE name = $1 OR id::text = $1)
         OR EXISTS (SELECT FROM host WHERE name = $1 OR id::text = $1)
         OR EXISTS (SELECT FROM audit.entry WHERE actor_name = $1 OR actor_id = $1) AS known`,
    [who],
  );
  return row?.known === true;
}

export async function actorNames(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `SELECT name FROM account UNION SELECT name FROM api_token UNION SELECT name FROM host ORDER BY name LIMIT $1`,
    [NAMES],
  );
  return rows.map(({ name }) => name);
}

/** Whether any decision is about this kmod, or any host has named it. By its canonical name. */
export async function isKmodKnown(sql: Sql, kmod: string): Promise<boolean> {
  const [row] = await sql.query<{ known: boolean }>(
    'SELECT EXISTS (SELECT FROM kmod WHERE name = $1) OR EXISTS (SELECT FROM audit.entry WHERE kmod = $1) AS known',
    [kmod],
  );
  return row?.known === true;
}

export async function kmodNames(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ name: string }>('SELECT name FROM kmod ORDER BY name LIMIT $1', [NAMES]);
  return rows.map(({ name }) => name);
}
