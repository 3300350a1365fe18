import type { ApiTokenRow } from '../access/access.rows.ts';
import type { Labels } from '../access/host-scope.ts';
import { type AccountWithGrants, grantsOf } from '../access/principal.queries.ts';
import type { Sql } from '../database/database.service.ts';
import type { SignInEnd } from '../sign-in/sessions/sign-in-standing.ts';
import type { RequesterRows } from './dispatch-rights.rules.ts';

type TokenColumns = NonNullable<RequesterRows['token']>;

interface Row extends Pick<RequesterRows, 'actionId' | 'accountId' | 'tokenId' | 'signInId' | 'seal'> {
  readonly requestedBy: string;
  readonly name: string;
  readonly labels: Labels;
}

/**
 * Who asked for each of these actions, by action; none for one that is not there. Four statements at most by primary keys, since it runs at every dispatch: who
 * asked for many is read once. Nothing is locked: what is withdrawn a moment later is as if the action had gone first.
 */
export async function selectRequesters(
  sql: Sql,
  actionIds: readonly string[],
): Promise<ReadonlyMap<string, RequesterRows>> {
  const rows = await sql.query<Row>(
    `SELECT a.id AS "actionId", a.requested_account AS "accountId", a.requested_token AS "tokenId", a.requested_sign_in AS "signInId",
            a.requested_by AS "requestedBy", a.requester_seal AS seal, h.name, h.labels
       FROM action a JOIN host h ON h.id = a.host_id
      WHERE a.id = ANY ($1::uuid[])`,
    [actionIds],
  );
  const accounts = await selectAccounts(sql, distinct(rows.map(({ accountId }) => accountId)));
  const tokens = await selectTokens(sql, distinct(rows.map(({ tokenId }) => tokenId)));
  const signIns = await selectSignIns(sql, distinct(rows.map(({ signInId }) => signInId)));
  return new Map(
    rows.map(({ requestedBy, name, labels, ...ids }) => [
      ids.actionId,
      {
        ...ids,
        name: requestedBy,
        host: { name, labels },
        account: accounts.get(ids.accountId ?? ''),
        token: tokens.get(ids.tokenId ?? ''),
        signIn: signIns.get(ids.signInId ?? ''),
      },
    ]),
  );
}

async function selectAccounts(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, AccountWithGrants>> {
  if (ids.length === 0) return new Map();
  const rows = await sql.query<AccountWithGrants>(
    `SELECT c.id, c.name, c.kind, c.disabled_at, c.seal, ${grantsOf('c.id')} AS grants FROM account c WHERE c.id = ANY ($1::uuid[])`,
    [ids],
  );
  return byId(rows);
}

async function selectTokens(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, TokenColumns>> {
  if (ids.length === 0) return new Map();
  const rows = await sql.query<Pick<ApiTokenRow, keyof TokenColumns>>(
    `SELECT t.id, t.prefix, t.account_id, t.hash, t.routes, t.expires_at, t.revoked_at, t.bootstrap, t.seal FROM api_token t WHERE t.id = ANY ($1::uuid[])`,
    [ids],
  );
  return byId(rows);
}

async function selectSignIns(sql: Sql, ids: readonly string[]): Promise<ReadonlyMap<string, SignInEnd>> {
  if (ids.length === 0) return new Map();
  const rows = await sql.query<SignInEnd>(
    `SELECT s.id, s.account_id, s.carrier, s.expires_at, s.idle_seconds, s.ended_at, s.ended_by, s.hash, s.seal FROM sign_in s WHERE s.id = ANY ($1::uuid[])`,
    [ids],
  );
  return byId(rows);
}

function distinct(ids: readonly (string | null)[]): string[] {
  return [...new Set(ids.flatMap((id) => id ?? []))];
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}
