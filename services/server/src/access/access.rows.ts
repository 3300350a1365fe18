import type { AccountKind } from './caller.ts';
import type { Role } from './roles.ts';
import type { AccountFacts, GrantFacts, TokenFacts } from './seals.ts';

/** Who gives the grants that follow from groups at the identity provider. No account has this name: it has a blank in it. */
export const MAPPED_BY = 'identity provider';

export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly kind: AccountKind;
  readonly created_by: string;
  readonly created_at: Date;
  readonly disabled_at: Date | null;
  readonly disabled_by: string | null;
  readonly seal: Buffer | null;
}

export interface GrantRow {
  readonly id: string;
  readonly account_id: string;
  readonly account_name: string;
  readonly role: Role;
  readonly selector: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
  /** It gives nothing from then on, by Postgres's clock; null: until it is revoked. */
  readonly ends_at: Date | null;
  /** `ends_at` is over, or it was given by a group without one. */
  readonly ended: boolean;
  readonly seal: Buffer | null;
}

export interface ApiTokenRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: Buffer;
  /** Null: made by a server of before migration 0008; it belongs to nobody. */
  readonly account_id: string | null;
  readonly account_name: string | null;
  readonly routes: string[] | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly expired: boolean;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
  readonly last_used_at: Date | null;
  /** Made for STATE_DIR/admin-token; null: made before that was noted. */
  readonly bootstrap: boolean | null;
  readonly seal: Buffer | null;
  readonly account_kind: AccountKind | null;
  readonly account_disabled_at: Date | null;
  readonly account_seal: Buffer | null;
}

/** A grant as the principal query brings it, in JSON. */
export interface GrantJson {
  readonly id: string;
  readonly accountId: string;
  readonly role: Role;
  readonly selector: string | null;
  /** As Postgres writes it in JSON. */
  readonly endsAt: string | null;
  readonly ended: boolean;
  /** Hex. */
  readonly seal: string | null;
}

export function accountFacts(row: Pick<AccountRow, 'id' | 'name' | 'kind' | 'disabled_at'>): AccountFacts {
  return { id: row.id, name: row.name, kind: row.kind, disabledAt: row.disabled_at };
}

export function grantFacts(
  row: Pick<GrantRow, 'id' | 'account_id' | 'role' | 'selector' | 'revoked_at' | 'ends_at'>,
): GrantFacts {
  return {
    id: row.id,
    accountId: row.account_id,
    role: row.role,
    selector: row.selector,
    revokedAt: row.revoked_at,
    endsAt: row.ends_at,
  };
}

export function tokenFacts(
  row: Pick<ApiTokenRow, 'id' | 'account_id' | 'hash' | 'routes' | 'expires_at' | 'revoked_at' | 'bootstrap'>,
): TokenFacts {
  return {
    id: row.id,
    accountId: row.account_id ?? '',
    hash: row.hash,
    routes: row.routes,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    bootstrap: row.bootstrap === true,
  };
}
