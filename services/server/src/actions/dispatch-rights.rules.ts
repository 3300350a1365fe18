import { accountFacts, tokenFacts, type ApiTokenRow } from '../access/access.rows.ts';
import { decide } from '../access/decision.ts';
import type { Labels } from '../access/host-scope.ts';
import { isRefusal, type Principal, principalOf } from '../access/principal.ts';
import type { AccountWithGrants } from '../access/principal.queries.ts';
import { type AccessSeals, isSealed } from '../access/seals.ts';
import type { Sealing } from '../sign-in/sealing.ts';
import { type SignInEnd, signInStanding } from '../sign-in/sessions/sign-in-standing.ts';

/** Who asked for an action, as its row says it and as their rows are now. */
export interface RequesterRows {
  readonly actionId: string;
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly signInId: string | null;
  /** What the account was called then. */
  readonly name: string;
  readonly seal: Buffer | null;
  readonly host: { readonly name: string; readonly labels: Labels };
  readonly account: AccountWithGrants | undefined;
  readonly token:
    | Pick<
        ApiTokenRow,
        'id' | 'prefix' | 'account_id' | 'hash' | 'routes' | 'expires_at' | 'revoked_at' | 'bootstrap' | 'seal'
      >
    | undefined;
  readonly signIn: SignInEnd | undefined;
}

/** `broken`: which row was changed outside the server, to be told. */
export interface Withdrawal {
  readonly why: string;
  readonly broken?: { readonly kind: 'requester' | 'account' | 'grant' | 'token' | 'sign_in'; readonly id: string };
}

/** What an account may do now, by its rows; or why nothing that it asked for with this credential is sent any more. */
export type Standing = { readonly asker: Principal } | { readonly lost: Withdrawal };

/**
 * Why an action may not be sent any more although it was taken: who asked for it lost the right, or the host left the scope of the right. Undefined: it may.
 * Pure.
 *
 * A token that expired since, and a sign-in that is over or was left (logout), withdraw nothing: the request was lawful, and the action has an expiry of its own. A
 * token that was revoked does, and a sign-in that was ended in any other way: it may have been stolen.
 *
 * @param standing {@link standingOf} of these rows: the same for all actions that one account asked for with one credential.
 */
export function whyWithdrawn(
  rows: RequesterRows,
  seals: AccessSeals,
  standing: () => Standing,
): Withdrawal | undefined {
  const { actionId, accountId, tokenId, signInId, name: calledThen, host } = rows;
  if (accountId === null) return { why: 'it was asked for before accounts were kept; ask again' };
  if (seals.requesterSealedAs(rows.seal, { actionId, accountId, tokenId, signInId, name: calledThen }) === undefined)
    return { why: 'who asked for it was changed outside the server', broken: { kind: 'requester', id: actionId } };
  const stands = standing();
  if ('lost' in stands) return stands.lost;
  const { asker: principal } = stands;
  const asker = { ...principal, brokenGrants: principal.brokenGrants.length, routes: null };
  if (decide(asker, 'act', host.labels).allowed) return undefined;
  const [broken] = principal.brokenGrants;
  const why = `the account ${principal.name} may not act on ${host.name} any more`;
  return broken === undefined ? { why } : { why, broken: { kind: 'grant', id: broken } };
}

/** Pure. */
export function standingOf(
  { accountId, tokenId, signInId, account, token, signIn }: Omit<RequesterRows, 'actionId' | 'host' | 'seal'>,
  seals: AccessSeals,
  sealing: Sealing,
): Standing {
  if (account === undefined || accountId === null)
    return { lost: { why: 'the account that asked for it is not there any more' } };
  if (tokenId !== null) {
    if (token === undefined) return { lost: { why: 'the API token that asked for it is not there any more' } };
    if (!isSealed(token.seal, seals.token(tokenFacts(token))) || token.account_id !== accountId)
      return {
        lost: {
          why: `the API token ${token.prefix}… was changed outside the server`,
          broken: { kind: 'token', id: token.id },
        },
      };
    if (token.revoked_at !== null) return { lost: { why: `the API token ${token.prefix}… was revoked` } };
  }
  if (signInId !== null) {
    const lost = whySignInEnded(signIn, accountId, sealing);
    if (lost !== undefined) return { lost };
  }
  const asker = principalOf(account, seals);
  if (!isRefusal(asker)) return { asker };
  const { name, disabledAt } = accountFacts(account);
  return asker.broken === undefined
    ? { lost: { why: `the account ${name} was disabled at ${disabledAt?.toISOString() ?? ''}` } }
    : { lost: { why: `the account ${name} was changed outside the server`, broken: asker.broken } };
}

function whySignInEnded(signIn: SignInEnd | undefined, accountId: string, sealing: Sealing): Withdrawal | undefined {
  if (signIn === undefined) return { why: 'the sign-in that asked for it is not there any more' };
  const standing = signInStanding(signIn, sealing);
  if (standing === 'broken' || signIn.account_id !== accountId)
    return {
      why: 'the sign-in that asked for it was changed outside the server',
      broken: { kind: 'sign_in', id: signIn.id },
    };
  return standing === 'ended'
    ? { why: `the sign-in that asked for it was ended by ${signIn.ended_by ?? ''}` }
    : undefined;
}
