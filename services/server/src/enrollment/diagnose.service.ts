import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  diagnoseRequestBytes,
  diagnosisBytes,
  IdentityStatus,
  type DiagnoseRequest,
  type DiagnoseResponse,
} from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { keyFingerprint } from '../ca/x509.ts';
import { DatabaseService } from '../database/database.service.ts';
import { findHostIdentity, type HostIdentityRow } from './host.queries.ts';
import { NonceStore } from './nonce-store.ts';

/** The caller has not proven to hold the key of the certificate. */
export class DiagnoseRefusedError extends Error {
  readonly code = 'diagnose_refused';
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Tells a host how its certificate stands, to which a failed TLS handshake says nothing. */
@Injectable()
export class DiagnoseService {
  readonly #database: DatabaseService;
  readonly #ca: CertificateAuthority;
  readonly #nonces = new NonceStore();

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
  ) {
    this.#database = database;
    this.#ca = ca;
  }

  challenge(): Buffer {
    return this.#nonces.issue(performance.now());
  }

  /** @throws DiagnoseRefusedError, DatabaseUnavailableError */
  async diagnose(request: DiagnoseRequest): Promise<DiagnoseResponse> {
    if (!this.#nonces.redeem(request.nonce, performance.now()))
      throw new DiagnoseRefusedError('The nonce is unknown, used or older than 60 s: ask for another.');
    const certificate = proven(request);
    const now = Date.now();
    const host = UUID.test(request.hostId) ? await findHostIdentity(this.#database, request.hostId) : undefined;
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const ours = this.#ca.issued(certificate) && certificate.subject === `CN=${request.hostId}`;
    const status = statusOf(
      certificate,
      ours && host?.keyFingerprint.equals(keyFingerprint(spki)) === true ? host : undefined,
      now,
    );
    return { status, serverTimeMs: now, signature: this.#ca.sign(diagnosisBytes(request.nonce, status, now)) };
  }
}

function proven(request: DiagnoseRequest): X509Certificate {
  try {
    const certificate = new X509Certificate(request.certificate);
    const key = createPublicKey({ key: certificate.publicKey.export({ type: 'spki', format: 'pem' }), format: 'pem' });
    if (verify('sha256', diagnoseRequestBytes(request.nonce), { key, dsaEncoding: 'ieee-p1363' }, request.signature))
      return certificate;
  } catch (error) {
    throw new DiagnoseRefusedError('The certificate cannot be read.', { cause: error });
  }
  throw new DiagnoseRefusedError("The signature is not by the certificate's key.");
}

/** Deleted and unknown before dates: a retired host's dates help nobody. */
function statusOf(certificate: X509Certificate, host: HostIdentityRow | undefined, now: number): IdentityStatus {
  if (host === undefined) return IdentityStatus.IDENTITY_STATUS_UNKNOWN;
  if (host.retired) return IdentityStatus.IDENTITY_STATUS_DELETED;
  if (now > certificate.validToDate.getTime()) return IdentityStatus.IDENTITY_STATUS_EXPIRED;
  if (now < certificate.validFromDate.getTime()) return IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID;
  if (host.quarantined) return IdentityStatus.IDENTITY_STATUS_QUARANTINED;
  return IdentityStatus.IDENTITY_STATUS_VALID;
}
