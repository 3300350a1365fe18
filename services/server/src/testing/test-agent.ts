import { createPrivateKey, randomUUID, sign, webcrypto } from 'node:crypto';
import { type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import {
  encodeFacet,
  Facet,
  type FacetStatus,
  type FacetValues,
  HostFacts,
  IdentityServiceClient,
  type KnownFacet,
  LoadedKmod,
  SERVER_TLS_NAME,
  SessionRequest,
  SessionResponse,
  SessionServiceClient,
  sha256,
  type DiagnoseResponse,
  renewRequestBytes,
  type TrustState,
  type EnrollResponse,
  type RenewResponse,
  type Welcome,
} from '@modfleet/proto';
import type { HostMessage } from '../agent-session/agent-stream.ts';
import type { ServerMessage } from '../agent-session/agent-gateway.ts';
import { MessageQueue } from '../agent-session/message-queue.ts';
import { certificatePem, P256, x509 } from '../ca/x509.ts';

const CHANNEL = {
  'grpc.ssl_target_name_override': SERVER_TLS_NAME,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

/** Where a machine joins, and the CA that it takes. */
export interface EnrollDoor {
  readonly identityAddress: string;
  readonly ca: { readonly certificatePem: string };
}

/** A facet as a test's host has it. */
export interface TestFacet<F extends KnownFacet = KnownFacet> {
  readonly facet: F;
  readonly bytes: Buffer;
  readonly digest: Buffer;
}

export function facetOf<F extends KnownFacet>(facet: F, value: FacetValues[F]): TestFacet<F> {
  const bytes = Buffer.from(encodeFacet(facet, value));
  return { facet, bytes, digest: Buffer.from(sha256(bytes)) };
}

/** `loaded` with these kmods: a name, or more of it. */
export function loadedFacet(...kmods: (string | Partial<LoadedKmod>)[]): TestFacet<typeof Facet.FACET_LOADED> {
  const entries = kmods.map((kmod) =>
    LoadedKmod.fromPartial({
      size: 4096,
      state: 1,
      buildId: 'ab'.repeat(20),
      ...(typeof kmod === 'string' ? { name: kmod } : kmod),
    }),
  );
  return facetOf(Facet.FACET_LOADED, { kmods: entries });
}

export function statusOf(facet: TestFacet, observedAgeMs = 0): FacetStatus {
  return { facet: facet.facet, digest: facet.digest, observedAgeMs, incapableReason: '' };
}

/** A machine with a key, which speaks the agent's protocol. */
export class TestAgent {
  readonly name: string;
  readonly keyPem: string;
  readonly csr: Buffer;
  bootId: string = randomUUID();
  hostId = '';
  certificate: Buffer = Buffer.alloc(0);
  caPem = '';
  /** What its Hello says of it; undefined: it trusts one CA for ever. */
  trust: TrustState | undefined;

  private constructor(name: string, keyPem: string, csr: Buffer) {
    this.name = name;
    this.keyPem = keyPem;
    this.csr = csr;
  }

  static async create(name: string): Promise<TestAgent> {
    const keys = (await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
    const csr = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=new',
      keys: keys as never,
      signingAlgorithm: P256,
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const keyPem = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      .export({ type: 'pkcs8', format: 'pem' })
      .toString();
    return new TestAgent(name, keyPem, Buffer.from(csr.rawData));
  }

  /** Another machine with the same identity. */
  clone(): TestAgent {
    const copy = new TestAgent(this.name, this.keyPem, this.csr);
    Object.assign(copy, {
      hostId: this.hostId,
      certificate: this.certificate,
      caPem: this.caPem,
      trust: this.trust,
      bootId: randomUUID(),
    });
    return copy;
  }

  get facts(): HostFacts {
    return HostFacts.fromPartial({
      hostname: this.name,
      bootId: this.bootId,
      kernelRelease: '6.12.0-1-amd64',
      architecture: 'x86_64',
      osId: 'debian',
      packageFamily: 'deb',
      agentVersion: '0.1.0',
      mode: 'act',
      policy: {
        allow: [],
        deny: [],
        protected: [],
      },
    });
  }

  /** Rejects with the gRPC error. */
  async enroll(side: EnrollDoor, joinToken: string): Promise<EnrollResponse> {
    this.caPem = side.ca.certificatePem;
    const client = this.identityClient(side.identityAddress);
    try {
      const answer = await new Promise<EnrollResponse>((resolve, reject) => {
        client.enroll({ joinToken, csr: this.csr, facts: this.facts }, (error, response) =>
          error === null ? resolve(response) : reject(error),
        );
      });
      this.hostId = answer.hostId;
      this.certificate = answer.certificate;
      return answer;
    } finally {
      client.close();
    }
  }

  identityClient(address: string): IdentityServiceClient {
    return new IdentityServiceClient(address, credentials.createSsl(Buffer.from(this.caPem)), CHANNEL);
  }

  /** Asks with a nonce of the server; `sign` makes the signature. */
  async diagnose(
    address: string,
    sign: (nonce: Buffer) => Buffer,
    nonce?: Buffer,
  ): Promise<{ answer: DiagnoseResponse; nonce: Buffer }> {
    const client = this.identityClient(address);
    try {
      const given =
        nonce ??
        (await new Promise<Buffer>((resolve, reject) =>
          client.challenge({}, (error, response) => (error === null ? resolve(response.nonce) : reject(error))),
        ));
      const request = { hostId: this.hostId, certificate: this.certificate, nonce: given, signature: sign(given) };
      const answer = await new Promise<DiagnoseResponse>((resolve, reject) =>
        client.diagnose(request, (error, response) => (error === null ? resolve(response) : reject(error))),
      );
      return { answer, nonce: given };
    } finally {
      client.close();
    }
  }

  /** Asks for another certificate and, unless told otherwise, keeps it. Rejects with the gRPC error. */
  async renew(
    address: string,
    options: { readonly lose?: boolean; readonly with?: Buffer } = {},
  ): Promise<RenewResponse> {
    const client = this.identityClient(address);
    const certificate = options.with ?? this.certificate;
    try {
      const nonce = await new Promise<Buffer>((resolve, reject) =>
        client.challenge({}, (error, response) => (error === null ? resolve(response.nonce) : reject(error))),
      );
      const signature = sign('sha256', renewRequestBytes(nonce, certificate, this.bootId), {
        key: this.keyPem,
        dsaEncoding: 'ieee-p1363',
      });
      const request = { hostId: this.hostId, certificate, nonce, signature, bootId: this.bootId };
      const answer = await new Promise<RenewResponse>((resolve, reject) =>
        client.renew(request, (error, response) => (error === null ? resolve(response) : reject(error))),
      );
      if (options.lose !== true && answer.certificate.length > 0) this.certificate = answer.certificate;
      return answer;
    } finally {
      client.close();
    }
  }

  /** Opens the stream; nothing is said yet. */
  dial(address: string): TestSession {
    const key = Buffer.from(this.keyPem);
    const client = new SessionServiceClient(
      address,
      credentials.createSsl(Buffer.from(this.caPem), key, Buffer.from(certificatePem(this.certificate))),
      CHANNEL,
    );
    return new TestSession(client, client.session(), this);
  }

  /** Says Hello with these facets and waits for Welcome. */
  async connect(
    address: string,
    facets: readonly FacetStatus[] = [],
  ): Promise<{ session: TestSession; welcome: Welcome }> {
    const session = this.dial(address);
    session.hello(facets);
    return { session, welcome: await session.expect('welcome') };
  }
}

/** What the server may say, by kind. */
type ServerWords = { [M in ServerMessage as M['$case']]: M['value'] };

/** The agent's end of one stream. */
export class TestSession {
  readonly #client: SessionServiceClient;
  readonly #call: ClientDuplexStream<SessionRequest, SessionResponse>;
  readonly #agent: TestAgent;
  readonly #received = new MessageQueue<ServerMessage>();
  readonly #reader: AsyncIterator<ServerMessage>;
  /** Null: the server ended it well. */
  readonly ended: Promise<ServiceError | null>;

  constructor(
    client: SessionServiceClient,
    call: ClientDuplexStream<SessionRequest, SessionResponse>,
    agent: TestAgent,
  ) {
    this.#client = client;
    this.#call = call;
    this.#agent = agent;
    this.#reader = this.#received[Symbol.asyncIterator]();
    let failure: ServiceError | null = null;
    this.ended = new Promise((resolve) => {
      call.on('data', (response: SessionResponse) => {
        if (response.message?.$case === 'ping' && this.answersPings)
          this.send({ $case: 'pong', value: response.message.value });
        else if (response.message !== undefined) this.#received.push(response.message);
      });
      call.on('error', (error: ServiceError) => (failure = error));
      call.on('status', () => {
        this.#received.end();
        this.#client.close();
        setImmediate(() => resolve(failure));
      });
    });
  }

  answersPings = true;

  send(message: HostMessage): void {
    this.#call.write({ message });
  }

  hello(facets: readonly FacetStatus[]): void {
    const empty = { unacknowledgedResults: [], openActions: [], tombstonesDigest: Buffer.alloc(0), boottimeMs: 1_000 };
    const { facts, trust } = this.#agent;
    this.send({
      $case: 'hello',
      value: { facts, facets: [...facets], newestCommand: undefined, ...empty, trust },
    });
  }

  heartbeat(facets: readonly FacetStatus[]): void {
    this.send({ $case: 'heartbeat', value: { boottimeMs: 1_000, facets: [...facets] } });
  }

  whole(facet: TestFacet, observedAgeMs = 0): void {
    this.send({
      $case: 'facetUpdate',
      value: {
        facet: facet.facet,
        digest: facet.digest,
        observedAgeMs,
        content: { $case: 'whole', value: facet.bytes },
      },
    });
  }

  /** The next message of this kind; others before it are dropped. Rejects when the stream ends first. */
  async expect<C extends keyof ServerWords>($case: C): Promise<ServerWords[C]> {
    for (;;) {
      const next = await this.#reader.next();
      if (next.done === true) throw new Error(`the stream ended before ${$case}: ${String(await this.ended)}`);
      if (next.value.$case === $case) return next.value.value as ServerWords[C];
    }
  }

  /** The host goes away without a word. */
  async drop(): Promise<void> {
    this.#call.cancel();
    await this.ended;
  }

  /** The host ends its side and waits for the server's. */
  async leave(): Promise<void> {
    this.#call.end();
    await this.ended;
  }
}
