import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Sql } from '../database/database.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import {
  findAccount,
  insertAccount,
  lockAccount,
  sealAccount,
  sealableNow,
  unsealedAccounts,
  updateDisabled,
  updateTwinName,
} from './account.queries.ts';
import {
  type AccountRow,
  accountFacts,
  type ApiTokenRow,
  grantFacts,
  type GrantRow,
  tokenFacts,
} from './access.rows.ts';
import { insertToken, lockToken, sealToken, unsealedTokens, updateTokenRevoked } from './api-token.queries.ts';
import { endSignInsOf } from '../sign-in/sessions/sign-in.queries.ts';
import { mintApiToken } from './api-token.ts';
import type { AccountKind } from './caller.ts';
import {
  fleetAdminGrants,
  insertGrant,
  lockGrant,
  sealGrant,
  unsealedGrants,
  updateGrantEnd,
  updateGrantRevoked,
} from './grant.queries.ts';
import type { Role } from './roles.ts';
import { AccessSeals, isSealed } from './seals.ts';

export interface NewAccount {
  readonly name: string;
  readonly kind: AccountKind;
  readonly createdBy: string;
}

export interface NewGrant {
  readonly accountId: string;
  readonly role: Role;
  /** As formatSelector writes it; null: the whole fleet. */
  readonly selector: string | null;
  /** Null: until it is taken back. Without microseconds, as it is sealed. */
  readonly endsAt?: Date | null;
  readonly createdBy: string;
}

export interface NewToken {
  readonly accountId: string;
  readonly name: string;
  readonly routes: readonly string[] | null;
  /** Null: until revoked. */
  readonly expiresInSeconds: number | null;
  /** At the latest then, whatever `expiresInSeconds` says. */
  readonly notAfter?: Date | null;
  /** For STATE_DIR/admin-token. */
  readonly bootstrap?: boolean;
  readonly createdBy: string;
}

/**
 * The only writer of accounts, grants and API tokens. Every write of a right is sealed in the same statement; a row whose seal is broken is not written
 * over (that would make it whole), only ended, and stays broken.
 */
@Injectable()
export class AccessRepository {
  readonly seals: AccessSeals;

  constructor(@Inject(ServerKeys) keys: ServerKeys) {
    this.seals = new AccessSeals(keys.sealKey('access'));
  }

  /** Undefined: the name is taken. */
  async createAccount(sql: Sql, wanted: NewAccount): Promise<AccountRow | undefined> {
    const { name, kind } = wanted;
    const id = randomUUID();
    const seal = this.seals.account({ id, name, kind, disabledAt: null });
    const made = await insertAccount(sql, { id, name, kind, created_by: wanted.createdBy, seal });
    return made ? findAccount(sql, id) : undefined;
  }

  /** @throws BrokenSealError: with another name the row would be whole again. */
  async renameTwin(sql: Sql, row: AccountRow, name: string): Promise<void> {
    if (!this.isAccountSealed(row)) throw new BrokenSealError('account', row.name);
    await updateTwinName(sql, { id: row.id, name, seal: this.seals.account({ ...accountFacts(row), name }) });
  }

  /** @param by who disables it; null enables. Undefined: no such account. @throws BrokenSealError */
  async setDisabled(
    sql: Sql,
    accountId: string,
    by: string | null,
    disabled: boolean,
  ): Promise<AccountRow | undefined> {
    const row = await lockAccount(sql, accountId);
    if (row === undefined) return undefined;
    if (!this.isAccountSealed(row) && !disabled) throw new BrokenSealError('account', row.name);
    if ((row.disabled_at !== null) === disabled) return row;
    const disabledAt = disabled ? await sealableNow(sql) : null;
    // One that was changed by hand keeps the seal that does not fit: what was done to it stays to be seen, and nothing makes it good.
    const seal = this.isAccountSealed(row) ? this.seals.account({ ...accountFacts(row), disabledAt }) : row.seal;
    // For good: enabled again, the person signs in again.
    if (disabled) await endSignInsOf(sql, row.id, null, by ?? '');
    await updateDisabled(sql, { id: row.id, disabled_at: disabledAt, disabled_by: disabled ? by : null, seal });
    return findAccount(sql, accountId);
  }

  async addGrant(sql: Sql, wanted: NewGrant): Promise<GrantRow> {
    const { accountId, role, selector, createdBy, endsAt = null } = wanted;
    const id = randomUUID();
    const seal = this.seals.grant({ id, accountId, role, selector, revokedAt: null, endsAt });
    const row = { id, account_id: accountId, role, selector, created_by: createdBy, ends_at: endsAt, seal };
    await insertGrant(sql, row);
    return found(await lockGrant(sql, id));
  }

  /** @param row of lockMappedGrants. @throws BrokenSealError: with another end the row would be whole again. */
  async renewGrant(sql: Sql, row: GrantRow, endsAt: Date): Promise<void> {
    if (!this.isGrantSealed(row)) throw new BrokenSealError('grant', row.id);
    const seal = this.seals.grant({ ...grantFacts(row), endsAt });
    await updateGrantEnd(sql, { id: row.id, ends_at: endsAt, seal });
  }

  /** A grant that ended stays as it ended. Undefined: no such grant. */
  async revokeGrant(sql: Sql, id: string, by: string): Promise<GrantRow | undefined> {
    const row = await lockGrant(sql, id);
    if (row === undefined || row.revoked_at !== null) return row;
    const revokedAt = await sealableNow(sql);
    const seal = this.isGrantSealed(row) ? this.seals.grant({ ...grantFacts(row), revokedAt }) : row.seal;
    await updateGrantRevoked(sql, { id, revoked_at: revokedAt, revoked_by: by, seal });
    return found(await lockGrant(sql, id));
  }

  /** `secret` is shown this once and stored nowhere. */
  async createToken(sql: Sql, wanted: NewToken): Promise<{ readonly row: ApiTokenRow; readonly secret: string }> {
    const id = randomUUID();
    const { token, prefix, hash } = mintApiToken();
    const routes = wanted.routes === null ? null : [...wanted.routes];
    const expiresAt = earlier(
      wanted.expiresInSeconds === null
        ? null
        : new Date((await sealableNow(sql)).getTime() + Math.round(wanted.expiresInSeconds * 1000)),
      wanted.notAfter ?? null,
    );
    const { accountId, bootstrap = false } = wanted;
    const seal = this.seals.token({ id, accountId, hash, routes, expiresAt, revokedAt: null, bootstrap });
    await insertToken(sql, {
      id,
      name: wanted.name,
      prefix,
      hash,
      account_id: accountId,
      routes,
      expires_at: expiresAt,
      created_by: wanted.createdBy,
      bootstrap,
      seal,
    });
    return { row: found(await lockToken(sql, id)), secret: token };
  }

  /** A token that ended stays as it ended. Undefined: no such token. */
  async revokeToken(sql: Sql, id: string, by: string): Promise<ApiTokenRow | undefined> {
    const row = await lockToken(sql, id);
    if (row === undefined || row.revoked_at !== null) return row;
    const revokedAt = await sealableNow(sql);
    const seal = this.isTokenSealed(row) ? this.seals.token({ ...tokenFacts(row), revokedAt }) : row.seal;
    await updateTokenRevoked(sql, { id, revoked_at: revokedAt, revoked_by: by, seal });
    return found(await lockToken(sql, id));
  }

  isAccountSealed(row: AccountRow): boolean {
    return isSealed(row.seal, this.seals.account(accountFacts(row)));
  }

  isGrantSealed(row: GrantRow): boolean {
    return isSealed(row.seal, this.seals.grant(grantFacts(row)));
  }

  isTokenSealed(row: ApiTokenRow): boolean {
    return isSealed(row.seal, this.seals.token(tokenFacts(row)));
  }

  /** The token, and the account that it acts for: it gives nothing by the one without the other. */
  isTokenWhole(row: ApiTokenRow): boolean {
    if (!this.isTokenSealed(row)) return false;
    const { account_id: id, account_name: name, account_kind: kind, account_disabled_at: disabledAt } = row;
    if (id === null || name === null || kind === null) return true;
    return isSealed(row.account_seal, this.seals.account({ id, name, kind, disabledAt }));
  }

  /**
   * Accounts that are admins of the whole fleet now, by rows that are whole, and by which grants. Call under lockAdmins to decide on it.
   *
   * @param which `lasting`: by grants that do not end by themselves; who is admin by a group may be none in a few hours.
   */
  async fleetAdmins(sql: Sql, which: 'lasting' | 'all'): Promise<ReadonlyMap<string, readonly string[]>> {
    const grants = (await fleetAdminGrants(sql)).filter(
      (row) =>
        (which === 'all' || row.ends_at === null) &&
        this.isGrantSealed(row) &&
        isSealed(
          row.a_seal,
          this.seals.account({ id: row.account_id, name: row.account_name, kind: row.a_kind, disabledAt: null }),
        ),
    );
    const byAccount = Map.groupBy(grants, (row) => row.account_id);
    return new Map([...byAccount].map(([accountId, rows]) => [accountId, rows.map((row) => row.id)]));
  }

  /** Seals the rows that a migration made. Rows that have a seal, right or wrong, are left as they are. */
  async sealUnsealed(sql: Sql): Promise<number> {
    const accounts = await unsealedAccounts(sql);
    const grants = await unsealedGrants(sql);
    const tokens = await unsealedTokens(sql);
    for (const row of accounts) await sealAccount(sql, row.id, this.seals.account(accountFacts(row)));
    for (const row of grants) await sealGrant(sql, row.id, this.seals.grant(grantFacts(row)));
    for (const row of tokens) await sealToken(sql, row, this.seals.token(tokenFacts(row)));
    return accounts.length + grants.length + tokens.length;
  }
}

/** Something would be given back on the strength of a row that was changed outside the server. */
export class BrokenSealError extends Error {
  readonly code = 'access_seal_broken';
  constructor(kind: string, name: string) {
    super(
      `the ${kind} ${name} was changed outside the server; make another instead of giving this one back its rights`,
    );
    this.name = 'BrokenSealError';
  }
}

function earlier(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

function found<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new Error('a row that was just written is not there');
  return row;
}
