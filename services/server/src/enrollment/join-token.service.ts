import { Inject, Injectable } from '@nestjs/common';
import { formatJoinString } from '@modfleet/proto';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { Sql } from '../database/database.service.ts';
import { type JoinToken, JoinTokenRepository } from './join-token.repository.ts';

export interface NewJoinToken {
  readonly name?: string | undefined;
  /** Hosts that may join with it. */
  readonly maxUses: number;
  readonly expiresInSeconds: number;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Join tokens: made, listed and revoked here; used by {@link EnrollmentService}. */
@Injectable()
export class JoinTokenService {
  readonly #repository: JoinTokenRepository;
  readonly #ca: CertificateAuthority;
  readonly #audit: AuditService;

  constructor(
    @Inject(JoinTokenRepository) repository: JoinTokenRepository,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#repository = repository;
    this.#ca = ca;
    this.#audit = audit;
  }

  /** `joinString` is the secret with the CA's pin: shown this once, stored nowhere. @param sql the caller's transaction. */
  async create(
    sql: Sql,
    wanted: NewJoinToken,
    source: AuditSource,
  ): Promise<{ readonly joinToken: JoinToken; readonly joinString: string }> {
    const { row: joinToken, secret } = await this.#repository.create(sql, {
      name: wanted.name ?? '',
      labels: wanted.labels ?? {},
      maxUses: wanted.maxUses,
      expiresInSeconds: wanted.expiresInSeconds,
      createdBy: source.actor.name,
    });
    await this.#audit.record(sql, source, {
      what: 'join_token.create',
      object: joinToken.id,
      details: {
        name: joinToken.name,
        maxUses: joinToken.maxUses,
        expiresAt: joinToken.expiresAt.toISOString(),
        labels: joinToken.labels,
      },
    });
    return { joinToken, joinString: formatJoinString({ token: secret, caFingerprint: this.#ca.pinFingerprint }) };
  }

  /** Newest first, at most `limit`, after the row `before`. */
  list(limit: number, before: { readonly createdAt: Date; readonly id: string } | null = null): Promise<JoinToken[]> {
    return this.#repository.list(limit, before);
  }

  /** Hosts that joined with it stay. Undefined: no such token. */
  async revoke(sql: Sql, id: string, source: AuditSource): Promise<JoinToken | undefined> {
    const row = await this.#repository.revoke(sql, id);
    if (row !== undefined)
      await this.#audit.record(sql, source, { what: 'join_token.revoke', object: id, details: { name: row.name } });
    return row;
  }
}
