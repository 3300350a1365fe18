import { setImmediate } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { HostFacts } from '@modfleet/proto';
import type { AuditDecision, AuditSource } from '../audit/audit.model.ts';
import { hostSource } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { CertificateAuthority, CsrError, type IssuedCertificate, verifyCsr } from '../ca/certificate-authority.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import type { Sql } from '../database/database.service.ts';
import { Grouped } from '../database/grouped.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { EnrollmentError } from './enrollment.errors.ts';
import { decideJoin, type Decision, type Join, type LetIn } from './join-decision.ts';
import { findHostsByKey, insertHosts, type NewHostRow, updateCertificate } from './host.queries.ts';
import { hostColumns } from './host-facts.ts';
import { JoinTokenRepository, useKey } from './join-token.repository.ts';
import { hashJoinToken } from './join-token.ts';

const HOUR_MS = 3_600_000;

export interface EnrolledHost {
  readonly hostId: string;
  /** DER. */
  readonly certificate: Buffer;
}

/** In one transaction: more would hold their tokens' locks for longer than it saves. */
const JOINS_TOGETHER = 100;
/** Certificates that are issued without letting anybody else work, a millisecond each. */
const CERTIFICATES_AT_ONCE = 8;

type Certified = LetIn & { readonly issued: IssuedCertificate };

/**
 * Makes hosts of machines.
 *
 * INVARIANTS
 * - Everything of one join happens in one transaction under the lock of its token: a single-use token makes one host, however many try. Joins that come at the same
 *   time share a transaction; each is decided for itself, in the order of their coming.
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
  readonly #joins = new Grouped<Join, EnrolledHost | EnrollmentError>({
    max: JOINS_TOGETHER,
    keyOf: ({ key }) => key.keyFingerprint.toString('hex'),
    run: (joins) => this.#joinAll(joins),
  });

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
    const joined = await this.#joins.call({ tokenHash: hashJoinToken(joinToken), columns, key, peer });
    if (joined instanceof EnrollmentError) throw joined;
    return joined;
  }

  #joinAll(joins: readonly Join[]): Promise<(EnrolledHost | EnrollmentError)[]> {
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const decided = await this.#decide(sql, joins);
      const letIn = await this.#certify(decided.filter((decision) => decision.kind !== 'refused'));
      const made = letIn.filter(({ kind }) => kind === 'new');
      if (made.length > 0) {
        await insertHosts(sql, made.map(newHostRow));
        await this.#tokens.use(
          sql,
          made.map(({ token, join, hostId }) => ({ token, keyFingerprint: join.key.keyFingerprint, hostId })),
        );
      }
      for (const { kind, hostId, issued, counter } of letIn)
        if (kind === 'again') await updateCertificate(sql, hostId, { ...issued, counter });
      await this.#audit.recordEach(sql, letIn.map(auditRow));
      const hosts = new Map(letIn.map(({ join, hostId, issued }) => [join, { hostId, certificate: issued.der }]));
      return decided.map((decision) => {
        if (decision.kind === 'refused') return decision.error;
        const host = hosts.get(decision.join);
        if (host === undefined) throw new Error('a join that was let in is no host');
        return host;
      });
    });
  }

  /** Locks the tokens, and says of each join what becomes of it; no two are of the same key. */
  async #decide(sql: Sql, joins: readonly Join[]): Promise<Decision[]> {
    const tokens = await this.#tokens.lock(sql, [
      ...new Map(joins.map(({ tokenHash }) => [tokenHash.toString('hex'), tokenHash])).values(),
    ]);
    const known = joins.flatMap((join) => {
      const token = tokens.get(join.tokenHash.toString('hex'));
      return token === undefined ? [] : [{ tokenId: token.id, keyFingerprint: join.key.keyFingerprint }];
    });
    const earlier = await this.#tokens.hostsOf(sql, known);
    const hosts = new Map(
      (
        await findHostsByKey(
          sql,
          joins.map(({ key }) => key.keyFingerprint),
        )
      ).map((host) => [host.keyFingerprint.toString('hex'), host]),
    );
    const usesNow = new Map<string, number>();
    return joins.map((join): Decision => {
      const token = tokens.get(join.tokenHash.toString('hex'));
      const { keyFingerprint } = join.key;
      const before = token === undefined ? undefined : earlier.get(useKey({ tokenId: token.id, keyFingerprint }));
      const uses = token === undefined ? 0 : (usesNow.get(token.id) ?? token.uses);
      const decision = decideJoin({
        join,
        token: token && { ...token, uses },
        before,
        host: hosts.get(keyFingerprint.toString('hex')),
      });
      if (decision.kind !== 'new' || token === undefined) return decision;
      usesNow.set(token.id, uses + 1);
      // As it was locked: its uses are counted once for all when they are recorded.
      return { ...decision, token };
    });
  }

  async #certify(decisions: readonly LetIn[]): Promise<Certified[]> {
    const certified: Certified[] = [];
    for (const decision of decisions) {
      const { hostId, join, counter } = decision;
      certified.push({ ...decision, issued: await this.#issue(hostId, join.key.spki, counter) });
      if (certified.length % CERTIFICATES_AT_ONCE === 0) await setImmediate();
    }
    return certified;
  }

  #issue(hostId: string, spki: Buffer, counter: number): Promise<IssuedCertificate> {
    return this.#ca.issueHostCertificate(hostId, spki, { lifeMs: this.#lifeMs, counter });
  }
}

function newHostRow({ hostId, join, token, issued, counter }: Certified): NewHostRow {
  return {
    id: hostId,
    columns: join.columns,
    labels: token.labels,
    keyFingerprint: join.key.keyFingerprint,
    certificate: { ...issued, counter },
    joinTokenId: token.id,
  };
}

function auditRow({ kind, hostId, join, token }: Certified): { source: AuditSource; decision: AuditDecision } {
  return {
    source: hostSource(hostId, join.columns.name, join.peer),
    decision: {
      what: 'host.join',
      object: hostId,
      hosts: [hostId],
      details: {
        joinToken: token.id,
        again: kind === 'again',
        keyFingerprint: join.key.keyFingerprint.toString('hex'),
        labels: token.labels,
      },
    },
  };
}
