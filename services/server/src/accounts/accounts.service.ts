import { Inject, Injectable } from '@nestjs/common';
import { AccessRepository, BrokenSealError } from '../access/access.repository.ts';
import { AccountTokens } from '../access/account-tokens.service.ts';
import type { AccountRow } from '../access/access.rows.ts';
import { findAccount, findAccountFolded, listAccounts, lockAdmins } from '../access/account.queries.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { WaysInService } from '../sign-in/ways-in.service.ts';
import { type AccountItem, toAccountItem } from './accounts.view.ts';

/** Accounts: made, seen, disabled and enabled by admins of the whole fleet. */
@Injectable()
export class AccountsService {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #audit: AuditService;
  readonly #waysIn: WaysInService;
  readonly #tokens: AccountTokens;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AuditService) audit: AuditService,
    @Inject(WaysInService) waysIn: WaysInService,
    @Inject(AccountTokens) tokens: AccountTokens,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#audit = audit;
    this.#waysIn = waysIn;
    this.#tokens = tokens;
  }

  async list(limit: number, after: string | null): Promise<{ items: AccountItem[]; next: string | null }> {
    const rows = await listAccounts(this.#database, limit + 1, after);
    const page = rows.slice(0, limit);
    return {
      items: await this.#items(this.#database, page),
      next: rows.length > page.length ? (page.at(-1)?.name ?? null) : null,
    };
  }

  /** @throws AppError account_exists. */
  async create(sql: Sql, name: string, kind: AccountRow['kind'], source: AuditSource): Promise<AccountItem> {
    const row = await this.#repository.createAccount(sql, { name, kind, createdBy: source.actor.name });
    if (row === undefined) {
      const taken = (await findAccountFolded(sql, name))?.name ?? name;
      const words = 'names are never given twice, whatever their upper and lower case';
      throw new AppError('account_exists', `there is an account ${taken} already; ${words}`);
    }
    await this.#audit.record(sql, source, { what: 'account.create', object: row.id, details: { name, kind } });
    return this.#item(sql, row);
  }

  /** For good, as far as sign-ins and API tokens go: enabled again, the account is given others. @throws AppError account_not_found, last_admin. */
  async disable(
    sql: Sql,
    idOrName: string,
    source: AuditSource,
  ): Promise<AccountItem & { readonly tokensEnded: number }> {
    const { id, name } = await requireAccount(sql, idOrName);
    await this.#refuseLastAdmin(sql, id, name);
    const item = await this.#setDisabled(sql, id, name, true, source);
    const { tokensEnded } = await this.#tokens.after(sql, id, true, source);
    return { ...item, tokensEnded };
  }

  /** @throws AppError account_not_found, access_seal_broken. */
  async enable(sql: Sql, idOrName: string, source: AuditSource): Promise<AccountItem> {
    const { id, name } = await requireAccount(sql, idOrName);
    return this.#setDisabled(sql, id, name, false, source);
  }

  async #setDisabled(sql: Sql, id: string, name: string, disabled: boolean, source: AuditSource): Promise<AccountItem> {
    try {
      const row = await this.#repository.setDisabled(sql, id, source.actor.name, disabled);
      if (row === undefined) throw new Error(`the account ${id} is gone`);
      const what = disabled ? 'account.disable' : 'account.enable';
      await this.#audit.record(sql, source, { what, object: id, details: { name } });
      return await this.#item(sql, row);
    } catch (error) {
      if (error instanceof BrokenSealError) throw new AppError('access_seal_broken', error.message, {}, error);
      throw error;
    }
  }

  async #refuseLastAdmin(sql: Sql, id: string, name: string): Promise<void> {
    await lockAdmins(sql);
    const admins = await this.#repository.fleetAdmins(sql, 'lasting');
    if (admins.size === 1 && admins.has(id)) throw lastAdmin(name);
  }

  async #item(sql: Sql, row: AccountRow): Promise<AccountItem> {
    const [item] = await this.#items(sql, [row]);
    if (item === undefined) throw new Error('an account that is there is shown');
    return item;
  }

  async #items(sql: Sql, rows: readonly AccountRow[]): Promise<AccountItem[]> {
    const waysIn = await this.#waysIn.of(
      sql,
      rows.map(({ id }) => id),
    );
    return rows.map((row) => toAccountItem(row, this.#repository.isAccountSealed(row), waysIn(row.id)));
  }
}

/** @throws AppError account_not_found. */
export async function requireAccount(sql: Sql, idOrName: string): Promise<AccountRow> {
  // Postgres stores no NUL; no account has one in its name.
  const row = idOrName.includes('\0') ? undefined : await findAccount(sql, idOrName);
  if (row === undefined)
    throw new AppError(
      'account_not_found',
      `there is no account ${JSON.stringify(idOrName.slice(0, 100))}; GET /api/v1/accounts lists them`,
    );
  return row;
}

export function lastAdmin(name: string): AppError {
  return new AppError(
    'last_admin',
    `${name} is the last account that is admin of the whole fleet for good (what a group gives ends by itself): give another account that role first`,
  );
}
