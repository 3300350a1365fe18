import { Inject, Injectable } from '@nestjs/common';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { AccessRepository } from './access.repository.ts';
import type { AccountRow, ApiTokenRow } from './access.rows.ts';
import { ACCOUNT_NAME } from './account-name.ts';
import { findAccount } from './account.queries.ts';
import { findOpenByPrefix, hasToken, listTokens } from './api-token.queries.ts';

/** API tokens on the server's own machine: the way in for whoever runs the server. What the API gives is in accounts/. */
@Injectable()
export class ApiTokenService {
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

  /**
   * A token that may do everything. It acts for the service account of its name; where there is none, or it may not do everything (any more), for a new one.
   *
   * @param expiresInSeconds null: until revoked. @returns the secret, shown once.
   */
  create(
    name: string,
    expiresInSeconds: number | null,
    source: AuditSource = SERVER_SOURCE,
  ): Promise<{ id: string; token: string; prefix: string }> {
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const account = await this.#adminAccount(sql, name, source);
      const { row, secret } = await this.#repository.createToken(sql, {
        accountId: account.id,
        name,
        routes: null,
        expiresInSeconds,
        createdBy: source.actor.name,
      });
      const { id, prefix } = row;
      const details = { name, prefix, expiresInSeconds, account: account.name };
      await this.#audit.record(sql, source, { what: 'api_token.create', object: id, details });
      return { id, token: secret, prefix };
    });
  }

  list(): Promise<ApiTokenRow[]> {
    return listTokens(this.#database);
  }

  has(hash: Buffer): Promise<boolean> {
    return hasToken(this.#database, hash);
  }

  /**
   * Ends the one open token whose shown prefix begins so.
   *
   * @throws AppError not_found, or query_invalid when several tokens begin so.
   */
  async revoke(prefix: string, source: AuditSource): Promise<ApiTokenRow> {
    const [row, ...others] = await findOpenByPrefix(this.#database, prefix);
    if (row === undefined)
      throw new AppError(
        'not_found',
        `no open API token begins with ${JSON.stringify(prefix)}; "modfleet-server token list" shows them`,
      );
    if (others.length > 0) {
      const candidates = [row, ...others].map((each) => each.prefix);
      throw new AppError(
        'query_invalid',
        `${candidates.length} API tokens begin with ${JSON.stringify(prefix)}: ${candidates.join(', ')}`,
        { candidates },
      );
    }
    await this.#database.tx('READ COMMITTED', async (sql) => {
      await this.#repository.revokeToken(sql, row.id, source.actor.name);
      const details = { name: row.name, prefix: row.prefix };
      await this.#audit.record(sql, source, { what: 'api_token.revoke', object: row.id, details });
    });
    return row;
  }

  async #adminAccount(sql: Sql, tokenName: string, source: AuditSource): Promise<AccountRow> {
    const admins = await this.#repository.fleetAdmins(sql, 'lasting');
    for (let number = 1; ; number += 1) {
      const name = accountName(tokenName, number);
      const made = await this.#repository.createAccount(sql, { name, kind: 'service', createdBy: source.actor.name });
      if (made !== undefined) {
        const createdBy = source.actor.name;
        const { id } = await this.#repository.addGrant(sql, {
          accountId: made.id,
          role: 'admin',
          selector: null,
          createdBy,
        });
        await this.#audit.record(
          sql,
          source,
          { what: 'account.create', object: made.id, details: { name, kind: 'service' } },
          { what: 'grant.add', object: id, details: { account: name, role: 'admin' } },
        );
        return made;
      }
      const there = await findAccount(sql, name);
      if (there !== undefined && there.kind === 'service' && admins.has(there.id)) return there;
    }
  }
}

/** Token names are freer than account names: what no account name takes becomes "-". */
function accountName(tokenName: string, number: number): string {
  const folded = tokenName.replaceAll(/[^A-Za-z0-9._@+-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  const base = ACCOUNT_NAME.test(folded.slice(0, 90)) ? folded.slice(0, 90) : 'token';
  return number === 1 ? base : `${base}-${number}`;
}
