import { SelectorError } from '../selectors/selector.ast.ts';
import { accountFacts, type GrantJson, tokenFacts } from './access.rows.ts';
import type { AccountKind, Grant } from './caller.ts';
import { parseGrantSelector } from './host-scope.ts';
import type { AccountWithGrants, TokenWithAccount } from './principal.queries.ts';
import { isRole } from './roles.ts';
import { type AccessSeals, isSealed } from './seals.ts';

/*
 * From rows to rights. Pure.
 *
 * INVARIANTS
 * - A row without its seal gives nothing: a broken token or account gives no caller, a broken grant no right; nothing is repaired.
 * - A grant that has ended by itself gives nothing, and is not broken.
 * - What cannot be read (a role or selector of a newer version) gives nothing either.
 */

/** An account that may act, with what it may. */
export interface Principal {
  readonly accountId: string;
  readonly name: string;
  readonly kind: AccountKind;
  readonly grants: readonly Grant[];
  readonly brokenGrants: readonly string[];
}

export type Refusal = {
  readonly code: 'unauthenticated' | 'token_revoked' | 'token_expired' | 'account_disabled' | 'access_seal_broken';
  readonly detail: string;
  /** Which row was changed by hand. */
  readonly broken?: { readonly kind: 'token' | 'account'; readonly id: string };
};

const WAY_BACK = 'on the server\'s own machine "modfleet-server token create --name NAME" makes a way back in';

/** The account's standing, whatever its credential. */
export function principalOf(account: AccountWithGrants, seals: AccessSeals): Principal | Refusal {
  if (!isSealed(account.seal, seals.account(accountFacts(account)))) {
    return {
      code: 'access_seal_broken',
      detail: `the account ${account.name} was changed outside the server, or this server has another key than the one that made it: it gives nothing; ${WAY_BACK}`,
      broken: { kind: 'account', id: account.id },
    };
  }
  if (account.disabled_at !== null)
    return {
      code: 'account_disabled',
      detail: `the account ${account.name} was disabled at ${account.disabled_at.toISOString()}; an admin enables it: modfleet accounts enable ${account.name}`,
    };
  const read = (account.grants ?? []).map((grant) => ({
    id: grant.id,
    ended: grant.ended,
    grant: grantOf(grant, account.id, seals),
  }));
  return {
    accountId: account.id,
    name: account.name,
    kind: account.kind,
    grants: read.flatMap(({ grant, ended }) => (grant === undefined || ended ? [] : [grant])),
    brokenGrants: read.filter(({ grant }) => grant === undefined).map(({ id }) => id),
  };
}

/** The account behind a token, if the token still stands. */
export function principalOfToken(token: TokenWithAccount, seals: AccessSeals): Principal | Refusal {
  const { account } = token;
  const shown = `${token.prefix}…`;
  if (account === null)
    return {
      code: 'unauthenticated',
      detail: `the API token ${shown} belongs to no account: it was made by a server of an earlier version; ${WAY_BACK}`,
    };
  if (!isSealed(token.seal, seals.token(tokenFacts(token)))) {
    return {
      code: 'access_seal_broken',
      detail: `the API token ${shown} was changed outside the server, or this server has another key than the one that made it: it gives nothing; ${WAY_BACK}`,
      broken: { kind: 'token', id: token.id },
    };
  }
  if (token.revoked_at !== null)
    return {
      code: 'token_revoked',
      detail: `the API token ${shown} was revoked at ${token.revoked_at.toISOString()}`,
    };
  if (token.expired)
    return {
      code: 'token_expired',
      detail: `the API token ${shown} expired at ${token.expires_at?.toISOString() ?? ''}`,
    };
  return principalOf(account, seals);
}

export function isRefusal(found: Principal | Refusal): found is Refusal {
  return 'code' in found;
}

function grantOf(row: GrantJson, accountId: string, seals: AccessSeals): Grant | undefined {
  const endsAt = row.endsAt === null ? null : new Date(row.endsAt);
  const facts = { id: row.id, accountId, role: row.role, selector: row.selector, revokedAt: null, endsAt };
  const seal = row.seal === null ? null : Buffer.from(row.seal, 'hex');
  if (!isRole(row.role) || row.accountId !== accountId || !isSealed(seal, seals.grant(facts))) return undefined;
  try {
    return { id: row.id, role: row.role, selector: row.selector === null ? null : parseGrantSelector(row.selector) };
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}
