import type { AccountRow, GrantJson } from '../access/access.rows.ts';
import type { Labels } from '../access/host-scope.ts';
import { grantsOf } from '../access/principal.queries.ts';
import type { Sql } from '../database/database.service.ts';
import type { RequesterRows } from './dispatch-rights.rules.ts';

type TokenColumns = NonNullable<RequesterRows['token']>;

interface Row {
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly seal: Buffer | null;
  readonly name: string;
  readonly labels: Labels;
  readonly c_id: string | null;
  readonly c_name: string;
  readonly c_kind: AccountRow['kind'];
  readonly c_disabled_at: Date | null;
  readonly c_seal: Buffer | null;
  readonly grants: GrantJson[] | null;
  readonly t_id: string | null;
  readonly prefix: string;
  readonly account_id: string | null;
  readonly hash: Buffer;
  readonly routes: string[] | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly bootstrap: boolean | null;
  readonly t_seal: Buffer | null;
}

/**
 * Undefined: no such action. One statement by primary keys, since it runs at every dispatch; nothing is locked: what is withdrawn a moment later is as if the
 * action had gone first.
 */
export async function selectRequester(sql: Sql, actionId: string): Promise<RequesterRows | undefined> {
  const [row] = await sql.query<Row>(
    `SELECT a.requested_account AS "accountId", a.requested_token AS "tokenId", a.requester_seal AS seal, h.name, h.labels,
            c.id AS c_id, c.name AS c_name, c.kind AS c_kind, c.disabled_at AS c_disabled_at, c.seal AS c_seal, ${grantsOf('c.id')} AS grants,
            t.id AS t_id, t.prefix, t.account_id, t.hash, t.routes, t.expires_at, t.revoked_at, t.bootstrap, t.seal AS t_seal
       FROM action a
       JOIN host h ON h.id = a.host_id
       LEFT JOIN account c ON c.id = a.requested_account
       LEFT JOIN api_token t ON t.id = a.requested_token
      WHERE a.id = $1`,
    [actionId],
  );
  if (row === undefined) return undefined;
  const { accountId, tokenId, seal, name, labels } = row;
  return { actionId, accountId, tokenId, seal, host: { name, labels }, account: accountOf(row), token: tokenOf(row) };
}

function accountOf(row: Row): RequesterRows['account'] {
  if (row.c_id === null) return undefined;
  const { c_id: id, c_name: name, c_kind: kind, c_disabled_at: disabledAt, c_seal: seal, grants } = row;
  return { id, name, kind, disabled_at: disabledAt, seal, grants };
}

function tokenOf(row: Row): TokenColumns | undefined {
  if (row.t_id === null) return undefined;
  const { t_id: id, prefix, account_id, hash, routes, expires_at, revoked_at, bootstrap, t_seal: seal } = row;
  return { id, prefix, account_id, hash, routes, expires_at, revoked_at, bootstrap, seal };
}
