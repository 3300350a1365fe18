import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { formatJoinString } from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { insertJoinToken, type JoinTokenRow, listJoinTokens, revokeJoinToken } from './join-token.queries.ts';
import { mintJoinToken } from './join-token.ts';

export interface NewJoinToken {
  readonly name?: string | undefined;
  /** Hosts that may join with it. */
  readonly maxUses: number;
  readonly expiresInSeconds: number;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly createdBy: string;
}

/** Join tokens: made, listed and revoked here; used by {@link EnrollmentService}. */
@Injectable()
export class JoinTokenService {
  readonly #database: DatabaseService;
  readonly #ca: CertificateAuthority;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
  ) {
    this.#database = database;
    this.#ca = ca;
  }

  /** `joinString` is the secret with the CA's pin: shown this once, stored nowhere. @param sql the caller's transaction, if it has one. */
  async create(
    wanted: NewJoinToken,
    sql: Sql = this.#database,
  ): Promise<{ readonly joinToken: JoinTokenRow; readonly joinString: string }> {
    const { token, prefix, hash } = mintJoinToken();
    const joinToken = await insertJoinToken(sql, {
      id: randomUUID(),
      name: wanted.name ?? '',
      prefix,
      hash,
      labels: wanted.labels ?? {},
      maxUses: wanted.maxUses,
      expiresInSeconds: wanted.expiresInSeconds,
      createdBy: wanted.createdBy,
    });
    const caFingerprint = createHash('sha256').update(this.#ca.certificate).digest();
    return { joinToken, joinString: formatJoinString({ token, caFingerprint }) };
  }

  /** Newest first, at most `limit`, after the row `before`. */
  list(
    limit: number,
    before: { readonly createdAt: Date; readonly id: string } | null = null,
  ): Promise<JoinTokenRow[]> {
    return listJoinTokens(this.#database, limit, before);
  }

  /** Hosts that joined with it stay. Undefined: no such token. */
  revoke(id: string, sql: Sql = this.#database): Promise<JoinTokenRow | undefined> {
    return revokeJoinToken(sql, id);
  }
}
