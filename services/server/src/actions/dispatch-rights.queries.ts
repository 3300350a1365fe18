import { accountWithGrants } from '../access/principal.queries.ts';
import { findToken } from '../access/api-token.queries.ts';
import type { Labels } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import type { RequesterRows } from './dispatch-rights.rules.ts';

interface Row {
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly seal: Buffer | null;
  readonly name: string;
  readonly labels: Labels;
}

/** Undefined: no such action. Three looks by primary key; nothing is locked: what is withdrawn a moment later is as if the action had gone first. */
export async function selectRequester(sql: Sql, actionId: string): Promise<RequesterRows | undefined> {
  const [row] = await sql.query<Row>(
    `SELECT a.requested_account AS "accountId", a.requested_token AS "tokenId", a.requester_seal AS seal, h.name, h.labels
       FROM action a JOIN host h ON h.id = a.host_id WHERE a.id = $1`,
    [actionId],
  );
  if (row === undefined) return undefined;
  const { accountId, tokenId, seal, name, labels } = row;
  return {
    actionId,
    accountId,
    tokenId,
    seal,
    host: { name, labels },
    account: accountId === null ? undefined : await accountWithGrants(sql, accountId),
    token: tokenId === null ? undefined : await findToken(sql, tokenId),
  };
}
