import { Inject, Injectable } from '@nestjs/common';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import type { Sql } from '../database/database.service.ts';
import { AccessRepository } from './access.repository.ts';
import { unrevokedTokensOf } from './api-token.queries.ts';

/** What became of the API tokens of an account. */
export interface TokensAfter {
  /** That were good, and are revoked now. */
  readonly tokensEnded: number;
  /** That go on being good. */
  readonly apiTokens: number;
}

/** The API tokens of an account, when something of it is ended: they do not end with a sign-in or a password. */
@Injectable()
export class AccountTokens {
  readonly #repository: AccessRepository;
  readonly #audit: AuditService;

  constructor(@Inject(AccessRepository) repository: AccessRepository, @Inject(AuditService) audit: AuditService) {
    this.#repository = repository;
    this.#audit = audit;
  }

  /** @param ends revokes them; otherwise they are counted. After the commit: AccessService.changed. */
  async after(sql: Sql, accountId: string, ends: boolean, source: AuditSource): Promise<TokensAfter> {
    const rows = await unrevokedTokensOf(sql, accountId);
    const good = rows.filter((row) => !row.expired && this.#repository.isTokenSealed(row)).length;
    if (!ends) return { tokensEnded: 0, apiTokens: good };
    for (const { id, name, prefix, account_name: account } of rows) {
      await this.#repository.revokeToken(sql, id, source.actor.name);
      await this.#audit.record(sql, source, {
        what: 'api_token.revoke',
        object: id,
        details: { name, prefix, account },
      });
    }
    return { tokensEnded: good, apiTokens: 0 };
  }
}
