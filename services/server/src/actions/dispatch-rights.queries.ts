import type { AccountRow, GrantJson } from '../access/access.rows.ts';
import type { Labels } from '../access/host-scope.ts';
import { grantsOf } from '../access/principal.queries.ts';
import type { SignInEnd } from '../sign-in/sessions/sign-in-standing.ts';
import type { Sql } from '../database/database.service.ts';
import type { RequesterRows } from './dispatch-rights.rules.ts';

type TokenColumns = NonNullable<RequesterRows['token']>;

interface Row {
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly signInId: string | null;
  readonly requestedBy: string;
  readonly s_id: string | null;
  readonly s_account_id: string;
  readonly carrier: SignInEnd['carrier'];
  readonly s_expires_at: Date;
  readonly idle_seconds: number;
  readonly ended_at: Date | null;
  readonly ended_by: string | null;
  readonly s_hash: Buffer | null;
  readonly s_seal: Buffer | null;
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
    `SELECT a.requested_account AS "accountId", a.requested_token AS "tokenId", a.requested_sign_in AS "signInId", a.requested_by AS "requestedBy",
            a.requester_seal AS seal, h.name, h.labels,
            c.id AS c_id, c.name AS c_name, c.kind AS c_kind, c.disabled_at AS c_disabled_at, c.seal AS c_seal, ${grantsOf('c.id')} AS grants,
            t.id AS t_id, t.prefix, t.account_id, t.hash, t.routes, t.expires_at, t.revoked_at, t.bootstrap, t.seal AS t_seal,
            s.id AS s_id, s.account_id AS s_account_id, s.carrier, s.expires_at AS s_expires_at, s.idle_seconds, s.ended_at, s.ended_by,
            s.hash AS s_hash, s.seal AS s_seal
       FROM action a
       JOIN host h ON h.id = a.host_id
       LEFT JOIN account c ON c.id = a.requested_account
       LEFT JOIN api_token t ON t.id = a.requested_token
       LEFT JOIN sign_in s ON s.id = a.requested_sign_in
      WHERE a.id = $1`,
    [actionId],
  );
  if (row === undefined) return undefined;
  const { accountId, tokenId, signInId, requestedBy, seal, name, labels } = row;
  return {
    actionId,
    accountId,
    tokenId,
    signInId,
    name: requestedBy,
    seal,
    host: { name, labels },
    account: accountOf(row),
    token: tokenOf(row),
    signIn: signInOf(row),
  };
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

function signInOf(row: Row): SignInEnd | undefined {
  if (row.s_id === null) return undefined;
  const {
    s_id: id,
    s_account_id,
    carrier,
    s_expires_at,
    idle_seconds,
    ended_at,
    ended_by,
    s_hash: hash,
    s_seal: seal,
  } = row;
  return {
    id,
    account_id: s_account_id,
    carrier,
    expires_at: s_expires_at,
    idle_seconds,
    ended_at,
    ended_by,
    hash,
    seal,
  };
}
