import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { HostFacts } from '@modfleet/proto';
import { hostSource } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { CertificateAuthority, CsrError, verifyCsr, type IssuedCertificate } from '../ca/certificate-authority.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import type { Sql } from '../database/database.service.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { EnrollmentError } from './enrollment.errors.ts';
import { findHostByKey, insertHost, updateCertificate } from './host.queries.ts';
import { hostColumns, type HostColumns } from './host-facts.ts';
import { type JoinToken, JoinTokenRepository } from './join-token.repository.ts';
import { hashJoinToken } from './join-token.ts';

const HOUR_MS = 3_600_000;
/** Of a host's first certificate. */
const FIRST_COUNTER = 1;

export interface EnrolledHost {
  readonly hostId: string;
  /** DER. */
  readonly certificate: Buffer;
}

/**
 * Makes hosts of machines.
 *
 * INVARIANTS
 * - Everything of one join happens in one transaction under the lock of its token: a single-use token makes one host, however many try.
 * - The same token with the same key gives the same host again, used up or expired: a lost answer strands nobody. A revoked token gives nothing.
 * - A token, or a use of it, that was made or changed outside the server gives nothing, whatever it says.
 * - A key belongs to one host for ever, retired ones included; ids are never reused.
 */
@Injectable()
export class EnrollmentService {
  readonly #database: HostDatabase;
  readonly #ca: CertificateAuthority;
  readonly #tokens: JoinTokenRepository;
  readonly #lifeMs: number;
  readonly #audit: AuditService;

  constructor(
    @Inject(HostDatabase) database: HostDatabase,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(JoinTokenRepository) tokens: JoinTokenRepository,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'hostCertHours'>,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#ca = ca;
    this.#tokens = tokens;
    this.#lifeMs = config.hostCertHours * HOUR_MS;
    this.#audit = audit;
  }

  /** @param peer where the call came from. @throws EnrollmentError, DatabaseUnavailableError */
  async enroll(joinToken: string, csr: Uint8Array, facts: HostFacts, peer: string): Promise<EnrolledHost> {
    const columns = hostColumns(facts);
    const key = await verifyCsr(csr).catch((error: unknown) => {
      throw error instanceof CsrError ? new EnrollmentError('csr_invalid', error.message, error) : error;
    });
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const token = await this.#tokens.lock(sql, hashJoinToken(joinToken));
      if (token === undefined)
        throw new EnrollmentError(
          'join_token_invalid',
          'The server does not know this join token: make one with "modfleet join-tokens create".',
        );
      const before = token.broken ? 'broken' : await this.#tokens.hostOf(sql, token, key.keyFingerprint);
      if (before === 'broken') throw broken();
      if (before === undefined) refuseUnusable(token);
      const host =
        before === undefined
          ? await this.#newHost(sql, token, columns, key.keyFingerprint, key.spki)
          : await this.#again(sql, token, before.hostId, key.keyFingerprint, key.spki);
      await this.#audit.record(sql, hostSource(host.hostId, columns.name, peer), {
        what: 'host.join',
        object: host.hostId,
        hosts: [host.hostId],
        details: {
          joinToken: token.id,
          again: before !== undefined,
          keyFingerprint: key.keyFingerprint.toString('hex'),
          labels: token.labels,
        },
      });
      return host;
    });
  }

  async #again(
    sql: Sql,
    token: JoinToken,
    hostId: string,
    keyFingerprint: Buffer,
    spki: Buffer,
  ): Promise<EnrolledHost> {
    if (token.revokedAt !== null) throw revoked();
    const host = await findHostByKey(sql, keyFingerprint);
    if (host === undefined || host.id !== hostId || host.retired || host.revoked) throw retired();
    const counter = host.renewalCounter + 1;
    const issued = await this.#issue(hostId, spki, counter);
    await updateCertificate(sql, hostId, { ...issued, counter });
    return { hostId, certificate: issued.der };
  }

  async #newHost(
    sql: Sql,
    token: JoinToken,
    columns: HostColumns,
    keyFingerprint: Buffer,
    spki: Buffer,
  ): Promise<EnrolledHost> {
    if ((await findHostByKey(sql, keyFingerprint)) !== undefined) throw retired();
    const hostId = randomUUID();
    const issued = await this.#issue(hostId, spki, FIRST_COUNTER);
    await insertHost(sql, {
      id: hostId,
      columns,
      labels: token.labels,
      keyFingerprint,
      certificate: { ...issued, counter: FIRST_COUNTER },
      joinTokenId: token.id,
    });
    await this.#tokens.use(sql, token, keyFingerprint, hostId);
    return { hostId, certificate: issued.der };
  }

  #issue(hostId: string, spki: Buffer, counter: number): Promise<IssuedCertificate> {
    return this.#ca.issueHostCertificate(hostId, spki, { lifeMs: this.#lifeMs, counter });
  }
}

function refuseUnusable(token: JoinToken): void {
  if (token.revokedAt !== null) throw revoked();
  if (token.expired)
    throw new EnrollmentError(
      'join_token_expired',
      'This join token has expired: make a new one with "modfleet join-tokens create".',
    );
  if (token.uses >= token.maxUses) {
    throw new EnrollmentError(
      'join_token_used_up',
      'This join token is used up: make a new one with "modfleet join-tokens create".',
    );
  }
}

function broken(): EnrollmentError {
  return new EnrollmentError(
    'join_token_seal_broken',
    'This join token was made or changed outside the server, or sealed with another key than the server has now: it lets no machine in. ' +
      'Make a new one with "modfleet join-tokens create"; the server\'s log says more.',
  );
}

function revoked(): EnrollmentError {
  return new EnrollmentError('join_token_revoked', 'This join token was revoked.');
}

function retired(): EnrollmentError {
  return new EnrollmentError(
    'host_retired',
    "This key belongs to a host that the server has already: remove the agent's state folder, then join anew.",
  );
}
