import { status } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { SessionServiceServer, TrustState } from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { Grouped } from '../database/grouped.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { type HostColumns, hostColumns } from '../enrollment/host-facts.ts';
import { findHostIdentities, type HostIdentityRow, updateFacts } from '../enrollment/host.queries.ts';
import { updateTrust } from '../enrollment/host-trust.queries.ts';
import { IngestService } from '../ingest/ingest.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import { TokenBuckets } from '../rate-limits/token-buckets.ts';
import { AgentGateway } from './agent-gateway.ts';
import { Lingering } from './move/lingering.ts';
import { GrpcAgentStream, type SessionCall } from './grpc-agent-stream.ts';
import { HostSession } from './host-session.ts';
import { peerCertificate, type PeerIdentity, peerIdentity } from './peer-identity.ts';
import { sessionRefusal } from './session-refusal.ts';
import { SessionAdmission } from './session-admission.service.ts';
import type { SessionParts } from './session-parts.ts';
import { SessionRegistry } from './session-registry.service.ts';

/** Sessions that one host may open: a network that breaks every second stays below, a host gone mad does not. */
const OPENS = { perSecond: 1, burst: 100 };
/** Hosts of which that is remembered. */
const OPENS_HOSTS = 50_000;

/** Hosts that one statement looks up, or writes of. */
const TOGETHER = 100;

/** The connections that sessions come over. */
export interface SessionConnections {
  /** A call has come over it. @param peer as `call.getPeer()` says, here and below. @returns whose it is, of which a balancer in between has told */
  onCall(peer: string): string;
  /** Ends it at once. */
  drop(peer: string): void;
}

/** SessionService: from a TLS peer to a running {@link HostSession}. */
@Injectable()
export class SessionHandlers {
  readonly #log = new Logger('Session');
  readonly #database: HostDatabase;
  readonly #ca: CertificateAuthority;
  readonly #parts: SessionParts;
  readonly #hosts = new Grouped<string, HostIdentityRow | undefined>({
    max: TOGETHER,
    keyOf: (hostId) => hostId,
    run: async (hostIds) => {
      const rows = new Map((await findHostIdentities(this.#database, hostIds)).map((row) => [row.id, row]));
      return hostIds.map((hostId) => rows.get(hostId));
    },
  });
  readonly #facts = new Grouped<{ readonly hostId: string; readonly columns: HostColumns }, boolean>({
    max: TOGETHER,
    keyOf: ({ hostId }) => hostId,
    run: async (hosts) => {
      const damaged = await updateFacts(this.#database, hosts);
      return hosts.map(({ hostId }) => damaged.has(hostId));
    },
  });
  readonly #trusts = new Grouped<{ readonly hostId: string; readonly trust: TrustState }, void>({
    max: TOGETHER,
    keyOf: ({ hostId }) => hostId,
    run: async (hosts) => {
      await updateTrust(this.#database, hosts);
      return hosts.map(() => undefined);
    },
  });
  readonly #opens = new TokenBuckets(OPENS, OPENS_HOSTS);
  readonly #running = new Set<Promise<void>>();
  readonly #lingering = new Lingering();
  readonly #opened;
  readonly #damaged;

  constructor(
    @Inject(HostDatabase) database: HostDatabase,
    @Inject(SessionAdmission) admission: SessionAdmission,
    @Inject(SessionRegistry) registry: SessionRegistry,
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(IngestService) ingest: IngestService,
    @Inject(ReplicaService) replica: ReplicaService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'heartbeatIntervalMs' | 'pollIntervalMs' | 'facetIntervalMs'>,
    @Inject(Metrics) metrics: Metrics,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
  ) {
    this.#ca = ca;
    this.#database = database;
    this.#opened = metrics.counter('modfleet_sessions_total', 'Sessions opened by hosts, by how they began.', [
      'result',
    ]);
    this.#damaged = metrics.counter(
      'modfleet_journals_damaged_total',
      'Damages of action journals that hosts told of, by kind.',
      ['kind'],
    );
    metrics.gauge('modfleet_sessions_open', 'Hosts connected to this replica.', [], (gauge) =>
      gauge.set(gateway.connectedHostIds().length),
    );
    this.#parts = {
      admission,
      registry,
      gateway,
      ingest,
      hostColumns,
      linger: (end) => this.#lingering.putOff(end),
      nowMs: () => replica.nowMs(),
      intervals: {
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        pollIntervalMs: config.pollIntervalMs,
        facetIntervalMs: config.facetIntervalMs,
      },
      ca,
      saveTrust: (hostId, trust) => this.#trusts.call({ hostId, trust }),
      saveFacts: (hostId, columns) => this.#saveFacts(hostId, columns),
    };
  }

  service(connections: SessionConnections): SessionServiceServer {
    return {
      session: (call) => {
        const peer = connections.onCall(call.getPeer());
        const running = this.#run(call, peer, connections).finally(() => this.#running.delete(running));
        this.#running.add(running);
      },
    };
  }

  /** Resolves when every session has ended. */
  async allEnded(): Promise<void> {
    await Promise.all(this.#running);
    this.#lingering.stop();
  }

  async #saveFacts(hostId: string, columns: HostColumns): Promise<void> {
    if (!(await this.#facts.call({ hostId, columns }))) return;
    this.#damaged.inc({ kind: columns.journalDamage ?? '' });
    this.#log.warn(`the action journal of host ${hostId} was damaged: ${columns.journalDamage}`);
  }

  async #run(call: SessionCall, peer: string, connections: SessionConnections): Promise<void> {
    // Listening begins at once: what the host says while its row is read waits in the stream.
    const stream = new GrpcAgentStream(call, peer, () => connections.drop(call.getPeer()));
    const identity = peerIdentity(call);
    if (identity !== undefined && !this.#opens.take(identity.hostId, performance.now()).allowed) {
      this.#opened.inc({ result: 'too_often' });
      stream.close({ kind: 'unavailable', reason: 'this host opens sessions too often' });
      return;
    }
    const refusal = identity === undefined ? 'this is no host certificate' : await this.#refusal(identity);
    this.#opened.inc({ result: refusal === undefined ? 'ok' : 'refused' });
    if (identity === undefined || refusal !== undefined) {
      this.#log.warn(`a session from ${stream.peer} is refused: ${refusal}`);
      stream.close(
        refusal === UNAVAILABLE
          ? { kind: 'unavailable', reason: UNAVAILABLE }
          : { kind: 'refused', reason: refusal ?? status[status.UNKNOWN] },
      );
      return;
    }
    const certificate = peerCertificate(call);
    const issuer = certificate === undefined ? undefined : this.#ca.issuerId(certificate);
    await new HostSession(identity, stream, this.#parts, issuer).run();
  }

  async #refusal(identity: PeerIdentity): Promise<string | undefined> {
    try {
      const host = await this.#hosts.call(identity.hostId);
      const known = host?.keyFingerprint.equals(identity.keyFingerprint) === true ? host : undefined;
      return sessionRefusal(known, identity.serial);
    } catch (error) {
      this.#log.warn(`host ${identity.hostId} could not be looked up: ${(error as Error).message}`);
      return UNAVAILABLE;
    }
  }
}

const UNAVAILABLE = 'the server cannot look up this host just now';
