import type { Sql } from '../database/database.service.ts';
import type { AccountRow, ApiTokenRow, GrantJson } from './access.rows.ts';
import { GRANT_ENDED } from './grant.queries.ts';

/** An account with its grants that are not revoked. */
export interface AccountWithGrants extends Pick<AccountRow, 'id' | 'name' | 'kind' | 'disabled_at' | 'seal'> {
  readonly grants: GrantJson[] | null;
}

/** A token with its account. The columns of the account are null for a token that belongs to nobody. */
export type TokenWithAccount = Pick<
  ApiTokenRow,
  'id' | 'prefix' | 'hash' | 'account_id' | 'routes' | 'expires_at' | 'expired' | 'revoked_at' | 'bootstrap' | 'seal'
> & { readonly account: AccountWithGrants | null };

/** The grants of an account that are not revoked, as {@link GrantJson}. @param id the account's id, as SQL. */
export const grantsOf = (
  id: string,
): string => `(SELECT jsonb_agg(jsonb_build_object('id', g.id, 'accountId', g.account_id, 'role', g.role, 'selector', g.selector,
                                                     'endsAt', g.ends_at, 'ended', ${GRANT_ENDED}, 'seal', encode(g.seal, 'hex')) ORDER BY g.created_at, g.id)
                   FROM access_grant g WHERE g.account_id = ${id} AND g.revoked_at IS NULL)`;

interface JoinedRow extends Omit<TokenWithAccount, 'account'> {
  readonly a_id: string | null;
  readonly a_name: string;
  readonly a_kind: AccountRow['kind'];
  readonly a_disabled_at: Date | null;
  readonly a_seal: Buffer | null;
  readonly grants: GrantJson[] | null;
}

/** One statement for all that a call needs to know of its caller: token, account and grants; `expired` by Postgres's clock. */
export async function tokenWithAccount(sql: Sql, hash: Buffer): Promise<TokenWithAccount | undefined> {
  const [row] = await sql.query<JoinedRow>(
    `SELECT t.id, t.prefix, t.hash, t.account_id, t.routes, t.expires_at, coalesce(t.expires_at <= now(), false) AS expired, t.revoked_at, t.bootstrap, t.seal,
            a.id AS a_id, a.name AS a_name, a.kind AS a_kind, a.disabled_at AS a_disabled_at, a.seal AS a_seal, ${grantsOf('a.id')} AS grants
       FROM api_token t LEFT JOIN account a ON a.id = t.account_id WHERE t.hash = $1`,
    [hash],
  );
  if (row === undefined) return undefined;
  const { a_id: id, a_name: name, a_kind: kind, a_disabled_at: disabledAt, a_seal: seal, grants, ...token } = row;
  return { ...token, account: id === null ? null : { id, name, kind, disabled_at: disabledAt, seal, grants } };
}

export async function accountWithGrants(sql: Sql, accountId: string): Promise<AccountWithGrants | undefined> {
  const rows = await sql.query<AccountWithGrants>(
    `SELECT a.id, a.name, a.kind, a.disabled_at, a.seal, ${grantsOf('a.id')} AS grants FROM account a WHERE a.id = $1`,
    [accountId],
  );
  return rows[0];
}
