import { Inject, Injectable } from '@nestjs/common';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus, type Publisher } from '../bus/bus.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { ACCESS_CHANNEL, MADE_CHANNEL } from './access-channels.ts';
import { AccessRepository } from './access.repository.ts';
import type { AccountRow, ApiTokenRow } from './access.rows.ts';
import { ACCOUNT_NAME } from './account-name.ts';
import { findAccount } from './account.queries.ts';
import { bootstrapTokens, findOpenByPrefix, hasToken, listTokens, lockBootstrap } from './api-token.queries.ts';
import { hashToken } from './api-token.ts';

/** Of the token in STATE_DIR/admin-token, and of its account. */
const BOOTSTRAP_NAME = 'admin';

/** API tokens on the server's own machine: the way in for whoever runs the server. What the API gives is in accounts/. */
@Injectable()
export class ApiTokenService {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #audit: AuditService;
  readonly #bus: Publisher;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AuditService) audit: AuditService,
    @Inject(Bus) bus: Publisher,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#audit = audit;
    this.#bus = bus;
  }

  /**
   * A token that may do everything. It acts for the service account of its name; where there is none, or it may not do everything (any more), for a new one.
   *
   * @param expiresInSeconds null: until revoked. @returns the secret, shown once.
   */
  async create(
    name: string,
    expiresInSeconds: number | null,
    source: AuditSource = SERVER_SOURCE,
  ): Promise<{ id: string; token: string; prefix: string }> {
    const made = await this.#database.tx('READ COMMITTED', (sql) => this.#create(sql, name, expiresInSeconds, source));
    await this.#tellMade(made.token);
    return made;
  }

  /**
   * The token of STATE_DIR/admin-token.
   *
   * @param isWanted asked when no other can be made, replaced or ended meanwhile. @param keep writes it away before it is good.
   */
  async createBootstrap(
    isWanted: () => Promise<boolean>,
    keep: (secret: string) => Promise<void>,
    source: AuditSource = SERVER_SOURCE,
  ): Promise<void> {
    const made = await this.#database.tx('READ COMMITTED', async (sql) => {
      await lockBootstrap(sql);
      if (!(await isWanted())) return undefined;
      const { token } = await this.#create(sql, BOOTSTRAP_NAME, null, source, true);
      await keep(token);
      return token;
    });
    if (made !== undefined) await this.#tellMade(made);
  }

  /**
   * Ends all tokens that were ever made for STATE_DIR/admin-token, in one transaction.
   *
   * @param held what the file holds, which may be one of before they were marked. @param keep writes away the one that takes their place, before that is
   * good; undefined: there is none any more. @returns the shown beginnings of those that ended.
   */
  async endBootstrap(
    held: string | undefined,
    keep: ((secret: string) => Promise<void>) | undefined,
    source: AuditSource,
  ): Promise<readonly string[]> {
    const done = await this.#database.tx('READ COMMITTED', async (sql) => {
      await lockBootstrap(sql);
      const rows = await bootstrapTokens(sql, held === undefined ? null : hashToken(held));
      for (const { id, name, prefix } of rows) {
        await this.#repository.revokeToken(sql, id, source.actor.name);
        await this.#audit.record(sql, source, { what: 'api_token.revoke', object: id, details: { name, prefix } });
      }
      const ended = rows.map(({ prefix }) => prefix);
      if (keep === undefined) return { ended, token: undefined };
      const { token } = await this.#create(sql, BOOTSTRAP_NAME, null, source, true);
      await keep(token);
      return { ended, token };
    });
    if (done.token !== undefined) await this.#tellMade(done.token);
    await this.#tell(ACCESS_CHANNEL, '');
    return done.ended;
  }

  /** Oldest first, also those that have ended; and whether they and their accounts are whole. */
  async list(): Promise<(ApiTokenRow & { readonly whole: boolean })[]> {
    const rows = await listTokens(this.#database);
    return rows.map((row) => ({ ...row, whole: this.#repository.isTokenWhole(row) }));
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

  async #create(
    sql: Sql,
    name: string,
    expiresInSeconds: number | null,
    source: AuditSource,
    bootstrap = false,
  ): Promise<{ id: string; token: string; prefix: string }> {
    const account = await this.#adminAccount(sql, name, source);
    const { row, secret } = await this.#repository.createToken(sql, {
      accountId: account.id,
      name,
      routes: null,
      expiresInSeconds,
      bootstrap,
      createdBy: source.actor.name,
    });
    const { id, prefix } = row;
    const details = { name, prefix, expiresInSeconds, account: account.name };
    await this.#audit.record(sql, source, { what: 'api_token.create', object: id, details });
    return { id, token: secret, prefix };
  }

  #tellMade(secret: string): Promise<void> {
    return this.#tell(MADE_CHANNEL, hashToken(secret).toString('hex'));
  }

  /** It saves time only, and a command has nobody to tell of a failure. */
  async #tell(channel: string, payload: string): Promise<void> {
    await this.#bus.publish(channel, payload).catch(() => undefined);
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
