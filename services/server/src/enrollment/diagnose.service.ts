import { Inject, Injectable } from '@nestjs/common';
import {
  diagnoseRequestBytes,
  diagnosisBytes,
  type DiagnoseRequest,
  type DiagnoseResponse,
  isUuid,
} from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { keyFingerprint } from '../ca/x509.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { findHostIdentity } from './host.queries.ts';
import { identityStatus } from './identity-status.ts';
import { provenCertificate, refuseNonce } from './key-proof.ts';
import { NonceStore } from './nonce-store.ts';

/** Tells a host how its certificate stands, to which a failed TLS handshake says nothing. */
@Injectable()
export class DiagnoseService {
  readonly #database: HostDatabase;
  readonly #ca: CertificateAuthority;
  readonly #nonces: NonceStore;

  constructor(
    @Inject(HostDatabase) database: HostDatabase,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(NonceStore) nonces: NonceStore,
  ) {
    this.#database = database;
    this.#ca = ca;
    this.#nonces = nonces;
  }

  /** @throws ProofRefusedError, DatabaseUnavailableError */
  async diagnose(request: DiagnoseRequest): Promise<DiagnoseResponse> {
    if (this.#nonces.redeem(request.nonce, performance.now()) === undefined) refuseNonce();
    const certificate = provenCertificate(request.certificate, diagnoseRequestBytes(request.nonce), request.signature);
    const nowMs = this.#ca.nowMs();
    const host = isUuid(request.hostId) ? await findHostIdentity(this.#database, request.hostId) : undefined;
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const issuer = this.#ca.issuerId(certificate);
    const ours = issuer !== undefined && certificate.subject === `CN=${request.hostId}`;
    const known = ours && host?.keyFingerprint.equals(keyFingerprint(spki)) === true ? host : undefined;
    const status = identityStatus(certificate, known, nowMs, ours && this.#ca.trusts(issuer));
    return {
      status,
      serverTimeMs: nowMs,
      signature: this.#ca.sign(diagnosisBytes(request.nonce, status, nowMs)),
    };
  }
}
