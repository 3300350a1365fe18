import { randomUUID, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import {
  type ApiTokenRow,
  findByHash,
  findOpenByPrefix,
  insertToken,
  listTokens,
  revokeToken,
  touchToken,
} from './api-token.queries.ts';
import { hashToken, mintApiToken } from './api-token.ts';
import type { Caller } from './caller.ts';

const TOUCH_INTERVAL_MS = 60_000;

/** API tokens: who calls, and their making and ending. A revocation holds from the next call on: nothing is cached. */
@Injectable()
export class ApiTokenService {
  readonly #database: DatabaseService;
  readonly #audit: AuditService;
  readonly #logger = new Logger('access');
  readonly #touched = new Map<string, number>();

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(AuditService) audit: AuditService) {
    this.#database = database;
    this.#audit = audit;
  }

  /**
   * The caller of a token. It is looked up by its SHA-256, which a guesser does not control, and the hash compared again in constant time.
   *
   * @throws AppError unauthenticated, token_expired, token_revoked; DatabaseUnavailableError.
   */
  async authenticate(token: string): Promise<Caller> {
    const hash = hashToken(token);
    const row = await findByHash(this.#database, hash);
    if (row === undefined || !timingSafeEqual(row.hash, hash)) {
      throw new AppError(
        'unauthenticated',
        'this API token is not known here; make one with "modfleet-server token create --name NAME"',
      );
    }
    if (row.revoked_at !== null)
      throw new AppError(
        'token_revoked',
        `the API token ${row.prefix}… was revoked at ${row.revoked_at.toISOString()}`,
      );
    if (row.expired)
      throw new AppError(
        'token_expired',
        `the API token ${row.prefix}… expired at ${row.expires_at?.toISOString() ?? ''}`,
      );
    this.#touch(row.id);
    return { tokenId: row.id, name: row.name, role: row.role };
  }

  /** @returns the secret, shown once. @param expiresInSeconds null: until revoked. */
  async create(
    name: string,
    expiresInSeconds: number | null,
    source: AuditSource = SERVER_SOURCE,
  ): Promise<{ id: string; token: string; prefix: string }> {
    const id = randomUUID();
    const minted = mintApiToken();
    await this.#database.tx('READ COMMITTED', async (sql) => {
      await insertToken(sql, id, name, minted, expiresInSeconds);
      const details = { name, prefix: minted.prefix, expiresInSeconds };
      await this.#audit.record(sql, source, { what: 'api_token.create', object: id, details });
    });
    return { id, token: minted.token, prefix: minted.prefix };
  }

  list(): Promise<ApiTokenRow[]> {
    return listTokens(this.#database);
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
      await revokeToken(sql, row.id);
      const details = { name: row.name, prefix: row.prefix };
      await this.#audit.record(sql, source, { what: 'api_token.revoke', object: row.id, details });
    });
    return row;
  }

  #touch(id: string): void {
    const now = performance.now();
    if (now - (this.#touched.get(id) ?? -Infinity) < TOUCH_INTERVAL_MS) return;
    this.#touched.set(id, now);
    touchToken(this.#database, id).catch((error: unknown) =>
      this.#logger.debug({ message: 'last use of a token not noted', err: error }),
    );
  }
}
