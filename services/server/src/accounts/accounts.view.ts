import type { z } from 'zod';
import type { AccountRow, ApiTokenRow, GrantRow } from '../access/access.rows.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { tokenState } from '../access/token-state.ts';
import { FLEET_ONLY, PERMISSIONS, type Permission } from '../access/roles.ts';
import type { WaysIn } from '../sign-in/ways-in.service.ts';
import { formatSelector } from '../selectors/selector.format.ts';
import type { accountItemSchema, grantItemSchema, meSchema, tokenItemSchema } from './accounts.schema.ts';

export type AccountItem = z.output<typeof accountItemSchema>;
export type GrantItem = z.output<typeof grantItemSchema>;
export type TokenItem = z.output<typeof tokenItemSchema>;

export function toAccountItem(row: AccountRow, sealed: boolean, waysIn: WaysIn): AccountItem {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    disabledAt: row.disabled_at?.toISOString() ?? null,
    disabledBy: row.disabled_by,
    sealed,
    ...waysIn,
  };
}

export function toGrantItem(row: GrantRow, sealed: boolean): GrantItem {
  return {
    id: row.id,
    account: { id: row.account_id, name: row.account_name },
    role: row.role,
    selector: row.selector,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    endsAt: row.ends_at?.toISOString() ?? null,
    ended: row.ended,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    revokedBy: row.revoked_by,
    sealed,
  };
}

/** Never its secret: the server has it not. */
export function toTokenItem(row: ApiTokenRow, sealed: boolean): TokenItem {
  return {
    id: row.id,
    account: row.account_id === null ? null : { id: row.account_id, name: row.account_name ?? '' },
    name: row.name,
    prefix: row.prefix,
    routes: row.routes,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    revokedBy: row.revoked_by,
    state: tokenState(row),
    sealed,
  };
}

export function toMe(caller: Caller): Omit<z.output<typeof meSchema>, 'freeze'> {
  const { accountId: id, name, kind, credential, expiresAt, routes } = caller;
  return {
    account: { id, name, kind },
    credential: {
      ...credential,
      expiresAt: expiresAt?.toISOString() ?? null,
      routes: routes === null ? null : [...routes],
    },
    address: caller.address,
    grants: caller.grants.map(({ id: grantId, role, selector }) => ({
      id: grantId,
      role,
      selector: selector === null ? null : formatSelector(selector),
    })),
    brokenGrants: caller.brokenGrants,
    may: mayOf(caller),
  };
}

function mayOf(caller: Caller): z.output<typeof meSchema>['may'] {
  return (Object.keys(PERMISSIONS) as Permission[])
    .map((what) => ({ what, scope: scopeOf(caller, what) }))
    .filter(({ what, scope }) => scope === 'all' || (scope.length > 0 && !FLEET_ONLY.includes(what)))
    .map(({ what, scope }) => ({ what, over: scope === 'all' ? 'fleet' : scope.map(formatSelector) }));
}
