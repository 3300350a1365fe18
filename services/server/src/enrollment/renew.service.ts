import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  IdentityStatus,
  renewalBytes,
  renewRequestBytes,
  type RenewRequest,
  type RenewResponse,
  isUuid,
} from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { counterOf, serialOf } from '../ca/certificate-serial.ts';
import { keyFingerprint } from '../ca/x509.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import type { Sql } from '../database/database.service.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Bus } from '../bus/bus.ts';
import { SESSIONS_CHANNEL, type SessionMail } from '../agent-session/session-mail.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { quarantine } from '../quarantine/quarantine.ts';
import { recordSighting, type Sighting } from '../quarantine/quarantine.queries.ts';
import { lockHostIdentity, updateCertificate, type HostIdentityRow } from './host.queries.ts';
import { decideRenewal, STATUS_WORDS, type RenewalStep } from './identity-status.ts';
import { provenCertificate, refuseNonce } from './key-proof.ts';
import { NonceStore } from './nonce-store.ts';

/** The call came too late to say anything of it; the host asks again. */
export class RenewalLateError extends Error {
  readonly code = 'renewal_late';
}

/**
 * An agent waits this long for the answer, and makes its request after it got the nonce: whatever is judged within this time of the nonce is judged
 * before that agent can have asked another server.
 */
export const JUDGED_WITHIN_MS = 10_000;

const HOUR_MS = 3_600_000;

interface Renewal {
  readonly status: IdentityStatus;
  readonly certificate: Buffer;
  /** Set when this renewal has shown that two machines have one identity. */
  readonly clone?: string;
}

/** Who asks, and with what. */
interface Caller {
  readonly spki: Buffer;
  readonly shown: string;
  readonly sighting: Sighting;
}

/**
 * Gives hosts new certificates for the keys that they have.
 *
 * INVARIANTS
 * - The key is the one in the presented certificate, which is ours, and the host's row names it: a renewal never brings a new key in.
 * - Whoever shows a certificate has used it; one that a later one followed in use shows a copy of the host's state (certificate-use.ts).
 * - Everything happens under the lock of the host's row, and only while the caller still waits for this very answer.
 */
@Injectable()
export class RenewService {
  readonly #log = new Logger('Renewals');
  readonly #database: HostDatabase;
  readonly #ca: CertificateAuthority;
  readonly #nonces: NonceStore;
  readonly #bus: Bus;
  readonly #audit: AuditService;
  readonly #lifeMs: number;
  readonly #renewals;

  constructor(
    @Inject(HostDatabase) database: HostDatabase,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(NonceStore) nonces: NonceStore,
    @Inject(Bus) bus: Bus,
    @Inject(AuditService) audit: AuditService,
    @Inject(Metrics) metrics: Metrics,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'hostCertHours'>,
  ) {
    this.#database = database;
    this.#ca = ca;
    this.#nonces = nonces;
    this.#bus = bus;
    this.#audit = audit;
    this.#renewals = metrics.counter(
      'modfleet_renewals_total',
      'Renewals of host certificates, by result: valid and quarantined came with a certificate, clone put the host into quarantine.',
      ['result'],
    );
    this.#lifeMs = config.hostCertHours * HOUR_MS;
  }

  /**
   * @param peer `address:port` of the caller.
   * @param waits whether the caller still waits.
   * @throws ProofRefusedError, RenewalLateError, DatabaseUnavailableError
   */
  async renew(request: RenewRequest, peer: string, waits: () => boolean): Promise<RenewResponse> {
    const askedAt = this.#nonces.redeem(request.nonce, performance.now()) ?? refuseNonce();
    const inTime = (): boolean => waits() && performance.now() - askedAt < JUDGED_WITHIN_MS;
    const signed = renewRequestBytes(request.nonce, request.certificate, request.bootId);
    const certificate = provenCertificate(request.certificate, signed, request.signature);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const ours = this.#ca.issued(certificate) && certificate.subject === `CN=${request.hostId}`;
    const shown = serialOf(certificate);
    const caller: Caller = {
      spki,
      shown,
      sighting: { bootId: request.bootId, peer, counter: counterOf(shown), how: 'renewal' },
    };
    const done = await this.#database.tx('READ COMMITTED', async (sql): Promise<Renewal> => {
      const row = ours && isUuid(request.hostId) ? await lockHostIdentity(sql, request.hostId) : undefined;
      if (!inTime()) throw new RenewalLateError('The server was too slow: ask again.');
      const host = row?.keyFingerprint.equals(keyFingerprint(spki)) === true ? row : undefined;
      const step = decideRenewal(certificate, host, this.#ca.nowMs());
      if (step.kind === 'refuse') return { status: step.status, certificate: Buffer.alloc(0) };
      return this.#issue(sql, step, caller);
    });
    await this.#tell(request.hostId, done, peer);
    const { status, certificate: issued } = done;
    const serverTimeMs = this.#ca.nowMs();
    const signature = this.#ca.sign(renewalBytes(request.nonce, status, serverTimeMs, issued));
    return { status, certificate: issued, serverTimeMs, signature };
  }

  /**
   * A certificate later than all before it, also than those that a database restored from a backup knows nothing of. In quarantine what was used last
   * stands, so that nothing is concluded from two machines that both go on reporting.
   */
  async #issue(
    sql: Sql,
    step: Exclude<RenewalStep, { kind: 'refuse' }>,
    { spki, shown, sighting }: Caller,
  ): Promise<Renewal> {
    const { host } = step;
    const clone = step.kind === 'clone' ? cloneWords(host, sighting) : undefined;
    if (clone !== undefined)
      await quarantine(sql, this.#audit, { id: host.id, counter: counterOf(host.certificateUsed) }, clone, sighting);
    else if (host.quarantined) await recordSighting(sql, host.id, sighting);
    const quarantined = clone !== undefined || host.quarantined;
    const counter = Math.max(host.renewalCounter, sighting.counter) + 1;
    const issued = await this.#ca.issueHostCertificate(host.id, spki, { lifeMs: this.#lifeMs, counter });
    await updateCertificate(sql, host.id, { ...issued, counter }, quarantined ? null : { serial: shown, ...sighting });
    return {
      status: quarantined ? IdentityStatus.IDENTITY_STATUS_QUARANTINED : IdentityStatus.IDENTITY_STATUS_VALID,
      certificate: issued.der,
      ...(clone === undefined ? {} : { clone }),
    };
  }

  async #tell(hostId: string, { status, clone }: Renewal, peer: string): Promise<void> {
    this.#renewals.inc({ result: clone === undefined ? STATUS_WORDS[status] : 'clone' });
    if (clone === undefined) {
      this.#log.log(`renewal of host ${hostId} from ${peer}: ${STATUS_WORDS[status]}`);
      return;
    }
    this.#log.error(`host ${hostId} is quarantined: ${clone}`);
    const mail: SessionMail = { kind: 'quarantined', hostId };
    // A replica that does not hear of it finds the row at its next sweep.
    await this.#bus
      .publish(SESSIONS_CHANNEL, JSON.stringify(mail))
      .catch((error: Error) => this.#log.warn(`the other replicas were not told of a quarantine: ${error.message}`));
  }
}

function cloneWords(host: HostIdentityRow, { peer, bootId, counter }: Sighting): string {
  const last = `${host.lastAddress ?? 'an address unknown'} (boot ${host.lastBootId ?? 'unknown'})`;
  return (
    `two machines use this identity, or one was put back to an older state: ${last} was the last to use its certificate ${counterOf(host.certificateUsed)}, ` +
    `then ${peer} (boot ${bootId === '' ? 'unknown' : bootId}) came with certificate ${counter}`
  );
}
