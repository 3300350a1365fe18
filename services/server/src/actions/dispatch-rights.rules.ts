import { accountFacts, tokenFacts, type ApiTokenRow } from '../access/access.rows.ts';
import { decide } from '../access/decision.ts';
import type { Labels } from '../access/host-scope.ts';
import { isRefusal, principalOf } from '../access/principal.ts';
import type { AccountWithGrants } from '../access/principal.queries.ts';
import { type AccessSeals, isSealed } from '../access/seals.ts';

/** Who asked for an action, as its row says it and as their rows are now. */
export interface RequesterRows {
  readonly actionId: string;
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly seal: Buffer | null;
  readonly host: { readonly name: string; readonly labels: Labels };
  readonly account: AccountWithGrants | undefined;
  readonly token:
    | Pick<
        ApiTokenRow,
        'id' | 'prefix' | 'account_id' | 'hash' | 'routes' | 'expires_at' | 'revoked_at' | 'bootstrap' | 'seal'
      >
    | undefined;
}

/** `broken`: which row was changed outside the server, to be told. */
export interface Withdrawal {
  readonly why: string;
  readonly broken?: { readonly kind: 'requester' | 'account' | 'grant' | 'token'; readonly id: string };
}

/**
 * Why an action may not be sent any more although it was taken: who asked for it lost the right, or the host left the scope of the right. Undefined: it may.
 * Pure.
 *
 * A token that expired since, and a session that ended, withdraw nothing: the request was lawful, and the action has an expiry of its own. A token that was
 * revoked does: it may have been stolen.
 */
export function whyWithdrawn(rows: RequesterRows, seals: AccessSeals): Withdrawal | undefined {
  const { actionId, accountId, tokenId, account, token, host } = rows;
  if (accountId === null) return { why: 'it was asked for before accounts were kept; ask again' };
  if (!isSealed(rows.seal, seals.requester({ actionId, accountId, tokenId })))
    return { why: 'who asked for it was changed outside the server', broken: { kind: 'requester', id: actionId } };
  if (account === undefined) return { why: 'the account that asked for it is not there any more' };
  if (tokenId !== null) {
    if (token === undefined) return { why: 'the API token that asked for it is not there any more' };
    if (!isSealed(token.seal, seals.token(tokenFacts(token))) || token.account_id !== accountId)
      return {
        why: `the API token ${token.prefix}… was changed outside the server`,
        broken: { kind: 'token', id: token.id },
      };
    if (token.revoked_at !== null) return { why: `the API token ${token.prefix}… was revoked` };
  }
  const principal = principalOf(account, seals);
  if (isRefusal(principal)) {
    const { name, disabledAt } = accountFacts(account);
    return principal.broken === undefined
      ? { why: `the account ${name} was disabled at ${disabledAt?.toISOString() ?? ''}` }
      : { why: `the account ${name} was changed outside the server`, broken: principal.broken };
  }
  const asker = { ...principal, brokenGrants: principal.brokenGrants.length, routes: null };
  if (decide(asker, 'act', host.labels).allowed) return undefined;
  const [broken] = principal.brokenGrants;
  const why = `the account ${principal.name} may not act on ${host.name} any more`;
  return broken === undefined ? { why } : { why, broken: { kind: 'grant', id: broken } };
}
