/**
 * The two listeners for agents, opened and closed in order.
 *
 * INVARIANTS
 * - Sessions are served before identities: Enroll answers the session port.
 * - At the end: no new connection, hosts are asked to come back elsewhere, then what they said is written.
 */
import { randomInt } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ConfirmServiceService, IdentityServiceService, SessionServiceService } from '@modfleet/proto';
import { refuseUnruledRpc } from '../access/rpc-table.ts';
import { addressesIn } from '../config/address-list.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { type ListenAddress, SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { IdentityHandlers } from '../enrollment/identity-handlers.ts';
import { IngestService } from '../ingest/ingest.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import type { BucketLimit } from '../rate-limits/token-bucket.ts';
import { ConfirmHandlers } from './confirm-handlers.ts';
import { GrpcListener, type ListenerLimits } from './grpc-listener.ts';
import { connectionsThatFit, openFilesLimit } from './open-files.ts';
import { ServerTls } from './server-tls.ts';
import { SessionHandlers } from './session-handlers.ts';
import { SessionRegistry } from './session-registry.service.ts';

/**
 * 20,000 hosts a replica; a fleet that comes back at once is let in within a minute. Few handshakes at a time: all that are under way take turns, and on a busy machine a
 * thousand of them (as it was) each took longer than the time that a handshake has, so that 10,000 hosts came back never. The others wait in a line, as many as come in while an
 * agent waits; who finds no place there comes again.
 */
const SESSION_LIMITS = {
  connections: 25_000,
  unfinished: 256,
  waiting: 8_192,
  perAddress: { connections: 12_500, unfinished: 128, waiting: 4_096 },
  perSecond: 500,
  burst: 1_000,
};
/** Joining is rare and anybody may try; but a fleet whose certificates have ended while the server was away asks here first (docs/adr/0027). */
const IDENTITY_LIMITS = {
  connections: 512,
  unfinished: 256,
  waiting: 1_024,
  perAddress: { connections: 256, unfinished: 128, waiting: 512 },
  perSecond: 200,
  burst: 400,
};
/** A session's connection without a stream is good for nothing. */
const SESSION_IDLE_MS = 30_000;
/** A chunk has 256 KiB, and every other message is smaller. */
const SESSION_MESSAGE_MAX = 1024 * 1024;
const IDENTITY_MESSAGE_MAX = 64 * 1024;
/** A call on the identity listener takes milliseconds. */
const IDENTITY_CONNECTION_MS = 30_000;
/** Hosts that are told to move come back within so long, spread. */
const RECONNECT_SPREAD_MS = 2_000;
/** Sessions that are told of other CAs in a second: each answers, and each answer is written. */
const TOLD_PER_SECOND = 500;
const STOP_GRACE_MS = 3_000;
/** So many seconds' worth of connections one address may make at once after quiet. */
const JOIN_BURST_SECONDS = 5;

/** A flood is told of once in a while, not once for each connection. */
const REFUSALS_TOLD_MS = 60_000;

@Injectable()
export class AgentListeners implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger('AgentListeners');
  readonly #config: ServerConfig;
  readonly #ca: CertificateAuthority;
  readonly #tls: ServerTls;
  readonly #sessions: SessionHandlers;
  readonly #confirms: ConfirmHandlers;
  readonly #identities: IdentityHandlers;
  readonly #registry: SessionRegistry;
  readonly #ingest: IngestService;
  readonly #refused;
  #refusalToldAt = -REFUSALS_TOLD_MS;
  #unwatch: (() => void) | undefined;
  #session: { listener: GrpcListener; address: AddressInfo } | undefined;
  #identity: { listener: GrpcListener; address: AddressInfo } | undefined;

  constructor(
    @Inject(SERVER_CONFIG) config: ServerConfig,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(ServerTls) tls: ServerTls,
    @Inject(SessionHandlers) sessions: SessionHandlers,
    @Inject(ConfirmHandlers) confirms: ConfirmHandlers,
    @Inject(IdentityHandlers) identities: IdentityHandlers,
    @Inject(SessionRegistry) registry: SessionRegistry,
    @Inject(IngestService) ingest: IngestService,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#config = config;
    this.#ca = ca;
    this.#tls = tls;
    this.#sessions = sessions;
    this.#confirms = confirms;
    this.#identities = identities;
    this.#registry = registry;
    this.#ingest = ingest;
    this.#refused = metrics.counter(
      'modfleet_connections_refused_total',
      'Connections of agents turned away, by listener and reason.',
      ['listener', 'reason'],
    );
    metrics.gauge('modfleet_connections_open', 'Open connections of agents, by listener.', ['listener'], (gauge) => {
      gauge.set({ listener: 'session' }, this.#session?.listener.openConnections ?? 0);
      gauge.set({ listener: 'identity' }, this.#identity?.listener.openConnections ?? 0);
    });
  }

  /** `host:port` that is really listened on; undefined before start. */
  get sessionAddress(): string | undefined {
    return this.#session === undefined ? undefined : shown(this.#session.address);
  }

  get identityAddress(): string | undefined {
    return this.#identity === undefined ? undefined : shown(this.#identity.address);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.#ingest.start();
    this.#session = await this.#openSession();
    this.#identity = await this.#openIdentity();
    const listeners = [this.#session.listener, this.#identity.listener];
    this.#tls.keepFresh(listeners);
    this.#unwatch = this.#ca.onChange(() => void this.#casChanged(listeners));
    this.#log.log(`sessions on ${this.sessionAddress}, identities on ${this.identityAddress}, CA ${this.#ca.pin}`);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#unwatch?.();
    this.#tls.stop();
    for (const session of this.#registry.all()) session.leave('shutdown', randomInt(RECONNECT_SPREAD_MS));
    await Promise.all([this.#session?.listener.stop(STOP_GRACE_MS), this.#identity?.listener.stop(STOP_GRACE_MS)]);
    await this.#sessions.allEnded();
    await this.#ingest.stop();
  }

  /** New connections first: a host that is told to come back finds them ready. */
  async #casChanged(listeners: readonly GrpcListener[]): Promise<void> {
    try {
      await this.#tls.renew(listeners);
    } catch (error) {
      this.#log.error('the listeners keep the certificate of before: no other could be made', error as Error);
      return;
    }
    this.#registry.all().forEach((session, index) => {
      setTimeout(() => session.casChanged(), Math.floor(index / TOLD_PER_SECOND) * 1_000).unref();
    });
  }

  async #openSession(): Promise<{ listener: GrpcListener; address: AddressInfo }> {
    const options = {
      'grpc.max_receive_message_length': SESSION_MESSAGE_MAX,
      'grpc.max_concurrent_streams': 8,
      'grpc.max_connection_idle_ms': SESSION_IDLE_MS,
      // No pings of gRPC's: TCP's own (grpc-listener.ts) notice a host behind a dead line within half a minute and cost no byte of TLS.
    };
    const openFiles = openFilesLimit();
    const connections = connectionsThatFit(SESSION_LIMITS.connections, openFiles);
    if (connections < SESSION_LIMITS.connections)
      this.#log.log(
        `at most ${connections} hosts connect here: this process may have ${openFiles} files open; "ulimit -n" (systemd: LimitNOFILE=) raises that`,
      );
    const listener = await this.#listener(
      'session',
      this.#config.sessionListen,
      { ...SESSION_LIMITS, connections },
      options,
      this.#ca.trustedPem,
    );
    for (const service of [SessionServiceService, ConfirmServiceService]) refuseUnruledRpc('session', service);
    listener.server.addService(
      SessionServiceService,
      this.#sessions.service({
        onCall: (peer) => listener.peerArrived(peer),
        drop: (peer) => listener.drop(peer),
      }),
    );
    listener.server.addService(
      ConfirmServiceService,
      this.#confirms.service((peer) => listener.peerArrived(peer)),
    );
    return { listener, address: await listener.start() };
  }

  async #openIdentity(): Promise<{ listener: GrpcListener; address: AddressInfo }> {
    const options = {
      'grpc.max_receive_message_length': IDENTITY_MESSAGE_MAX,
      'grpc.max_concurrent_streams': 2,
      'grpc.max_connection_age_ms': IDENTITY_CONNECTION_MS,
      'grpc.max_connection_age_grace_ms': 1_000,
    };
    const listener = await this.#listener('identity', this.#config.identityListen, IDENTITY_LIMITS, options, null);
    const context = {
      sessionPort: () => this.#session?.address.port ?? 0,
      onCall: (peer: string) => listener.peerArrived(peer),
    };
    refuseUnruledRpc('identity', IdentityServiceService);
    listener.server.addService(IdentityServiceService, this.#identities.service(context));
    return { listener, address: await listener.start() };
  }

  /** Those that a person has to do something about: there is room for no more hosts. */
  #tellOfRefusal(name: string, reason: string, { connections, perAddress }: ListenerLimits): void {
    if (reason !== 'connections' && reason !== 'address_connections') return;
    const now = performance.now();
    if (now - this.#refusalToldAt < REFUSALS_TOLD_MS) return;
    this.#refusalToldAt = now;
    const most = reason === 'connections' ? `${connections}` : `${perAddress.connections} of one address`;
    this.#log.warn(
      `hosts are turned away: ${most} are connected to the ${name} listener, and more it does not take (docs/operations.md, "What the agents' listeners bear")`,
    );
  }

  async #listener(
    name: 'session' | 'identity',
    listen: ListenAddress,
    limits: ListenerLimits,
    grpc: Record<string, number>,
    clientCa: string | null,
  ): Promise<GrpcListener> {
    const identity = await this.#tls.identity();
    return new GrpcListener({
      listen,
      limits,
      grpc,
      clientCa,
      identity,
      ...(name === 'identity' && this.#config.rateJoinsPerSecond > 0 ? { addressLimit: joinLimit(this.#config) } : {}),
      ...(this.#config.agentProxies === null ? {} : { balancers: addressesIn(this.#config.agentProxies) }),
      onRefused: (reason, words) => {
        this.#refused.inc({ listener: name, reason });
        if (words !== undefined) this.#log.warn(`a connection to the ${name} listener is refused: ${words}`);
        this.#tellOfRefusal(name, reason, limits);
      },
    });
  }
}

function joinLimit({ rateJoinsPerSecond }: Pick<ServerConfig, 'rateJoinsPerSecond'>): BucketLimit {
  return { perSecond: rateJoinsPerSecond, burst: rateJoinsPerSecond * JOIN_BURST_SECONDS };
}

function shown(address: AddressInfo): string {
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}
