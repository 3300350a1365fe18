import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { AccessRepository } from '../access/access.repository.ts';
import type { ApiTokenRow } from '../access/access.rows.ts';
import { requireAllowed } from '../access/allowed.ts';
import { findTokenByIdOrPrefix, listTokens } from '../access/api-token.queries.ts';
import type { Caller } from '../access/caller.ts';
import { decide, scopeOf } from '../access/decision.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { requireAccount } from './accounts.service.ts';
import type { createTokenBody } from './accounts.schema.ts';
import { type TokenItem, toTokenItem } from './accounts.view.ts';

const DEFAULT_LIFETIME_S = 90 * 24 * 60 * 60;

/**
 * API tokens.
 *
 * INVARIANTS
 * - Everyone has to do with the own account's tokens; with others' the admins of the whole fleet.
 * - A token makes no token that may more or lives longer than itself, but for an admin's of another account.
 */
@Injectable()
export class TokensService {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #audit: AuditService;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#audit = audit;
  }

  /** Oldest first. @throws AppError account_not_found, forbidden. */
  async list(
    filter: { readonly account?: string | undefined; readonly includeEnded: boolean },
    limit: number,
    after: { readonly createdAt: string; readonly id: string } | null,
    caller: Caller,
  ): Promise<{ items: TokenItem[]; next: { createdAt: string; id: string } | null }> {
    const accountId = await this.#whoseTokens(filter.account, caller);
    const rows = await listTokens(this.#database, { accountId, includeEnded: filter.includeEnded }, limit + 1, after);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next =
      rows.length > page.length && last !== undefined ? { createdAt: last.created_at_text, id: last.id } : null;
    return { items: page.map((row) => this.#item(row)), next };
  }

  /** @throws AppError account_not_found, account_disabled, access_seal_broken, forbidden. */
  async create(
    sql: Sql,
    body: z.output<typeof createTokenBody>,
    caller: Caller,
    source: AuditSource,
  ): Promise<{ item: TokenItem; secret: string }> {
    const account = await this.#accountOf(sql, body.account, caller);
    const isOwn = account.id === caller.accountId;
    const routes = body.routes === undefined ? null : [...new Set(body.routes)].sort();
    if (
      caller.routes !== null &&
      (routes === null || !routes.every((route) => caller.routes?.includes(route) === true))
    )
      throw new AppError(
        'forbidden',
        `your API token is narrowed to ${caller.routes.join(', ')}: it makes tokens for those routes alone (--route)`,
      );
    if (!this.#repository.isAccountSealed(account))
      throw new AppError(
        'access_seal_broken',
        `the account ${account.name} was changed outside the server: it gives nothing`,
      );
    if (account.disabled_at !== null)
      throw new AppError('account_disabled', `the account ${account.name} is disabled: enable it first`);
    const { row, secret } = await this.#repository.createToken(sql, {
      accountId: account.id,
      name: body.name ?? account.name,
      routes,
      expiresInSeconds: body.expiresIn === undefined ? DEFAULT_LIFETIME_S : body.expiresIn,
      notAfter: isOwn && caller.credential.kind === 'token' ? caller.expiresAt : null,
      createdBy: caller.name,
    });
    const { name, prefix } = row;
    const details = { name, prefix, account: account.name, routes, expiresAt: row.expires_at?.toISOString() ?? null };
    await this.#audit.record(sql, source, { what: 'api_token.create', object: row.id, details });
    return { item: this.#item(row), secret };
  }

  /** @param idOrPrefix the id, or the shown beginning. @throws AppError token_not_found. */
  async revoke(sql: Sql, idOrPrefix: string, caller: Caller, source: AuditSource): Promise<TokenItem> {
    const row = idOrPrefix.includes('\0') ? undefined : await findTokenByIdOrPrefix(sql, idOrPrefix);
    const isTheirs = row !== undefined && (row.account_id === caller.accountId || isAccessAdmin(caller));
    const revoked = isTheirs ? await this.#repository.revokeToken(sql, row.id, caller.name) : undefined;
    if (revoked === undefined)
      throw new AppError(
        'token_not_found',
        `there is no API token ${JSON.stringify(idOrPrefix.slice(0, 64))}; GET /api/v1/tokens lists them`,
      );
    const { name, prefix } = revoked;
    const details = { name, prefix, account: revoked.account_name };
    await this.#audit.record(sql, source, { what: 'api_token.revoke', object: revoked.id, details });
    return this.#item(revoked);
  }

  async #accountOf(sql: Sql, idOrName: string | undefined, caller: Caller) {
    if (idOrName !== undefined && !isOneself(idOrName, caller)) requireAllowed(decide(caller, 'access', 'fleet'));
    return requireAccount(sql, idOrName ?? caller.accountId);
  }

  async #whoseTokens(idOrName: string | undefined, caller: Caller): Promise<string | null> {
    if (idOrName === undefined) return isAccessAdmin(caller) ? null : caller.accountId;
    return (await this.#accountOf(this.#database, idOrName, caller)).id;
  }

  #item(row: ApiTokenRow): TokenItem {
    return toTokenItem(row, this.#repository.isTokenWhole(row));
  }
}

function isOneself(idOrName: string, caller: Caller): boolean {
  return idOrName === caller.accountId || idOrName === caller.name;
}

function isAccessAdmin(caller: Caller): boolean {
  return scopeOf(caller, 'access') === 'all';
}
