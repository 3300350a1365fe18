import 'reflect-metadata';
import { createPublicKey, randomBytes, randomUUID, verify, X509Certificate } from 'node:crypto';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import {
  IdentityServiceService,
  IdentityStatus,
  SessionServiceService,
  diagnoseRequestBytes,
  diagnosisBytes,
  renewRequestBytes,
  renewalBytes,
} from '@modfleet/proto';
import type {
  ChallengeResponse,
  DiagnoseRequest,
  DiagnoseResponse,
  EnrollRequest,
  EnrollResponse,
  IdentityServiceServer,
  RenewRequest,
  RenewResponse,
  SessionRequest,
  SessionResponse,
} from '@modfleet/proto';
import type { TestAuthority, TestDates, TestIdentity } from './test-authority.ts';

/** One session stream, as the server sees it. */
export type ServerStream = ServerDuplexStream<SessionRequest, SessionResponse>;

/** A server in this process, over real TLS and gRPC. Fields may be set at any time. */
export class FakeServer {
  readonly authority: TestAuthority;
  // channelz stays on: without it grpc-js 1.14 forgets its connections, and forceShutdown leaves them open.
  readonly #identity = new Server();
  readonly #session = new Server();
  readonly #nonces = new Set<string>();
  readonly enrolled: EnrollRequest[] = [];
  /** Hosts by public key: the same key gets the same host. */
  readonly #hosts = new Map<string, string>();
  identityPort = 0;
  sessionPort = 0;
  enrollError: { readonly code: status; readonly details: string } | undefined;
  diagnosis: IdentityStatus = IdentityStatus.IDENTITY_STATUS_VALID;
  /** What a renewal is answered; those with a certificate give one. */
  renewal: IdentityStatus = IdentityStatus.IDENTITY_STATUS_VALID;
  readonly renewed: RenewRequest[] = [];
  /** Dates of renewed certificates. */
  renewalDates: TestDates = { fromDays: -0.01, toDays: 1 };
  /** Spoils the signature of the diagnosis. */
  forge = false;
  onStream: (stream: ServerStream) => void = (stream) => stream.end();

  constructor(authority: TestAuthority) {
    this.authority = authority;
    const implementation: IdentityServiceServer = {
      enroll: (call: ServerUnaryCall<EnrollRequest, EnrollResponse>, reply: sendUnaryData<EnrollResponse>) =>
        void this.#enroll(call.request, reply),
      challenge: (_call: unknown, reply: sendUnaryData<ChallengeResponse>) => {
        const nonce = randomBytes(32);
        this.#nonces.add(nonce.toString('hex'));
        reply(null, { nonce });
      },
      diagnose: (call: ServerUnaryCall<DiagnoseRequest, DiagnoseResponse>, reply: sendUnaryData<DiagnoseResponse>) =>
        this.#diagnose(call.request, reply),
      renew: (call: ServerUnaryCall<RenewRequest, RenewResponse>, reply: sendUnaryData<RenewResponse>) =>
        void this.#renew(call.request, reply),
    };
    this.#identity.addService(IdentityServiceService, implementation);
    this.#session.addService(SessionServiceService, { session: (stream: ServerStream) => this.onStream(stream) });
  }

  async start(identity: TestIdentity): Promise<void> {
    this.identityPort = await listen(this.#identity, identity, null, this.identityPort);
    this.sessionPort = await listen(
      this.#session,
      identity,
      Buffer.from(this.authority.certificatePem),
      this.sessionPort,
    );
  }

  stop(): void {
    this.#identity.forceShutdown();
    this.#session.forceShutdown();
  }

  async #enroll(request: EnrollRequest, reply: sendUnaryData<EnrollResponse>): Promise<void> {
    this.enrolled.push(request);
    if (this.enrollError !== undefined) return reply(this.enrollError);
    const spki = Buffer.from(new Pkcs10CertificateRequest(new Uint8Array(request.csr)).publicKey.rawData);
    const hostId = this.#hosts.get(spki.toString('hex')) ?? randomUUID();
    this.#hosts.set(spki.toString('hex'), hostId);
    reply(null, {
      hostId,
      certificate: await this.authority.host(hostId, spki),
      caCertificate: this.authority.der,
      sessionPort: this.sessionPort,
      serverTimeMs: Date.now(),
      trust: undefined,
    });
  }

  #isGenuine(request: DiagnoseRequest | RenewRequest, signed: Uint8Array): boolean {
    const key = createPublicKey(
      new X509Certificate(request.certificate).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    return (
      this.#nonces.delete(request.nonce.toString('hex')) &&
      verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, request.signature)
    );
  }

  async #renew(request: RenewRequest, reply: sendUnaryData<RenewResponse>): Promise<void> {
    const { nonce, certificate, bootId, hostId } = request;
    if (!this.#isGenuine(request, renewRequestBytes(nonce, certificate, bootId)))
      return reply({ code: status.PERMISSION_DENIED, details: 'bad proof' });
    this.renewed.push(request);
    const { IDENTITY_STATUS_VALID, IDENTITY_STATUS_QUARANTINED } = IdentityStatus;
    const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
    const given = [IDENTITY_STATUS_VALID, IDENTITY_STATUS_QUARANTINED].some((good) => good === this.renewal)
      ? await this.authority.host(hostId, spki, this.renewalDates)
      : Buffer.alloc(0);
    const serverTimeMs = Date.now();
    const signature = this.authority.sign(renewalBytes(nonce, this.renewal, serverTimeMs, given));
    const answered = this.forge ? IDENTITY_STATUS_VALID : this.renewal;
    reply(null, { status: answered, certificate: given, serverTimeMs, signature });
  }

  #diagnose(request: DiagnoseRequest, reply: sendUnaryData<DiagnoseResponse>): void {
    if (!this.#isGenuine(request, diagnoseRequestBytes(request.nonce)))
      return reply({ code: status.UNAUTHENTICATED, details: 'bad proof' });
    const serverTimeMs = 1_700_000_000_000;
    const answered = this.forge ? IdentityStatus.IDENTITY_STATUS_REVOKED : this.diagnosis;
    reply(null, {
      status: answered,
      serverTimeMs,
      signature: this.authority.sign(diagnosisBytes(request.nonce, this.diagnosis, serverTimeMs)),
    });
  }
}

function listen(server: Server, identity: TestIdentity, clientCa: Buffer | null, port: number): Promise<number> {
  const pair = { private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certificatePem) };
  const tls = ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
}
