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
} from '@modfleet/proto';
import type {
  ChallengeResponse,
  DiagnoseRequest,
  DiagnoseResponse,
  EnrollRequest,
  EnrollResponse,
  IdentityServiceServer,
  SessionRequest,
  SessionResponse,
} from '@modfleet/proto';
import type { TestAuthority, TestIdentity } from './test-authority.ts';

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
    });
  }

  #diagnose(request: DiagnoseRequest, reply: sendUnaryData<DiagnoseResponse>): void {
    const key = createPublicKey(
      new X509Certificate(request.certificate).publicKey.export({ type: 'spki', format: 'pem' }),
    );
    const signed = diagnoseRequestBytes(request.nonce);
    const genuine =
      this.#nonces.delete(request.nonce.toString('hex')) &&
      verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, request.signature);
    if (!genuine) return reply({ code: status.UNAUTHENTICATED, details: 'bad proof' });
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
