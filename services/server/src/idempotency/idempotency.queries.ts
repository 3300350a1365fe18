import type { Sql } from '../database/database.service.ts';

/** Whose key it is: token, route pattern and the key itself. */
export interface KeyScope {
  readonly tokenId: string;
  readonly route: string;
  readonly key: string;
}

export interface StoredAnswer {
  readonly body_digest: Buffer;
  readonly status: number;
  readonly response: unknown;
  readonly location: string | null;
}

/**
 * Takes the key until the end of the transaction, without waiting.
 *
 * An INSERT … ON CONFLICT would serve too, but it waits for the other transaction instead of saying at once that the request is in flight.
 */
export async function tryLockKey(sql: Sql, scope: KeyScope): Promise<boolean> {
  const rows = await sql.query<{ locked: boolean }>(
    'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7780)) AS locked',
    [`${scope.tokenId} ${scope.route} ${scope.key}`],
  );
  return rows[0]?.locked === true;
}

export async function findAnswer(sql: Sql, scope: KeyScope): Promise<StoredAnswer | undefined> {
  const rows = await sql.query<StoredAnswer>(
    `SELECT body_digest, status, response, location FROM idempotency_key
      WHERE token_id = $1 AND route = $2 AND key = $3 AND created_at > now() - interval '48 hours'`,
    [scope.tokenId, scope.route, scope.key],
  );
  return rows[0];
}

export async function storeAnswer(sql: Sql, scope: KeyScope, answer: StoredAnswer): Promise<void> {
  await sql.query(
    `INSERT INTO idempotency_key (token_id, route, key, body_digest, state, status, response, location)
     VALUES ($1, $2, $3, $4, 'done', $5, $6::jsonb, $7)
     ON CONFLICT (token_id, route, key) DO UPDATE
        SET body_digest = excluded.body_digest, state = 'done', status = excluded.status, response = excluded.response,
            location = excluded.location, created_at = now()`,
    [
      scope.tokenId,
      scope.route,
      scope.key,
      answer.body_digest,
      answer.status,
      JSON.stringify(answer.response),
      answer.location,
    ],
  );
}

export async function dropOldAnswers(sql: Sql): Promise<void> {
  await sql.query(`DELETE FROM idempotency_key WHERE created_at < now() - interval '48 hours'`);
}
