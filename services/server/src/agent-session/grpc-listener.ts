/**
 * A gRPC server behind a TCP listener of our own.
 *
 * INVARIANTS
 * - Every accepted socket is either destroyed at once or handed to grpc-js; each is counted in the gate exactly once in and once out.
 * - A connection that has not made its first call within HANDSHAKE_TIMEOUT_MS is destroyed: half a TLS handshake costs an attacker nothing.
 * - `stop` ends: what does not close within its grace is destroyed.
 */
import { createServer, type AddressInfo, type BlockList, type Server as NetServer, type Socket } from 'node:net';
import { Server, type ServerOptions } from '@grpc/grpc-js';
import type { ServerIdentity } from '../ca/certificate-authority.ts';
import type { ListenAddress } from '../config/server-config.ts';
import type { BucketLimit } from '../rate-limits/token-bucket.ts';
import { addressKey, TokenBuckets } from '../rate-limits/token-buckets.ts';
import { AgentTlsCredentials } from './grpc-credentials.ts';
import { ConnectionGate, type GateLimits, type Refusal } from './connection-gate.ts';
import { ProxyFront } from './proxy/proxy-front.ts';
import type { Peer } from './proxy/proxy-header.ts';

/** A TLS handshake over a bad line takes a second or two; a fleet that comes back at once makes a server slow, and a small machine with much to do is slow itself. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** Addresses that are remembered. */
const ADDRESSES = 20_000;

export interface GrpcListenerOptions {
  readonly listen: ListenAddress;
  readonly limits: GateLimits;
  /** New connections of one address; absent: no limit of its own. */
  readonly addressLimit?: BucketLimit;
  readonly grpc: ServerOptions;
  /** PEM of the CAs, when a client must show a certificate of one of them. Null: clients have none, and may look for the CA that they pin. */
  readonly clientCa: string | null;
  readonly identity: ServerIdentity;
  /** Another time limit for tests. */
  readonly handshakeTimeoutMs?: number;
  /** Who says in a PROXY header whose connection it is; absent: nobody. */
  readonly balancers?: BlockList | undefined;
  /** `words`: what was wrong with a balancer's header. */
  readonly onRefused?: (refusal: Refusal | 'address' | 'proxy_header', words?: string) => void;
}

type Injector = ReturnType<Server['createConnectionInjector']>;

/** The port is taken or not ours to have; the message names it and the way out. */
export class ListenError extends Error {
  readonly code = 'listen_failed';
}

export class GrpcListener {
  readonly server: Server;
  readonly #options: GrpcListenerOptions;
  readonly #gate: ConnectionGate;
  readonly #addresses: TokenBuckets | undefined;
  readonly #front: ProxyFront;
  readonly #net: NetServer;
  /** Whose connection it is, by the balancer's end of it. */
  readonly #peers = new Map<string, string>();
  readonly #pending = new Map<string, () => void>();
  /** By `address:port` of their other end. */
  readonly #sockets = new Map<string, Socket>();
  /** Those before the present one: connections of theirs may live. */
  readonly #replaced = new Set<Injector>();
  #injector: Injector;

  constructor(options: GrpcListenerOptions) {
    this.#options = options;
    this.#gate = new ConnectionGate(options.limits, performance.now());
    this.#addresses =
      options.addressLimit === undefined ? undefined : new TokenBuckets(options.addressLimit, ADDRESSES);
    this.#front = new ProxyFront({
      balancers: options.balancers,
      waiting: options.limits.unfinished,
      timeoutMs: options.handshakeTimeoutMs,
      onRefused: (reason, balancer) => options.onRefused?.('proxy_header', `${reason} (from ${balancer})`),
    });
    this.server = new Server({ 'grpc.enable_channelz': 0, ...options.grpc });
    this.#injector = this.#newInjector(options.identity, options.clientCa);
    this.#net = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 }, (socket) =>
      this.#accept(socket),
    );
  }

  get openConnections(): number {
    return this.#gate.open;
  }

  /** @throws ListenError */
  start(): Promise<AddressInfo> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#net.once('error', (error: NodeJS.ErrnoException) => {
        const why =
          error.code === 'EADDRINUSE' ? 'something else listens there: stop it, or choose another port' : error.message;
        reject(new ListenError(`Cannot listen on ${host}:${port}: ${why}.`, { cause: error }));
      });
      this.#net.listen(port, host, () => resolve(this.#net.address() as AddressInfo));
    });
  }

  /** A new server certificate, and the CAs of clients where they must show one, for connections from now on. Nothing is resumed from before. */
  renew(identity: ServerIdentity, clientCa: string): void {
    const replaced = this.#injector;
    this.#injector = this.#newInjector(identity, this.#options.clientCa === null ? null : clientCa);
    this.#replaced.add(replaced);
  }

  /**
   * To be called at each call: the peer (as `call.getPeer()` says) has shown who it is.
   *
   * @returns its `address:port`, of which a balancer in between has told.
   */
  peerArrived(peer: string): string {
    this.#pending.get(peer)?.();
    return this.#peers.get(peer) ?? peer;
  }

  /** Ends a connection at once, whatever is still to be sent over it. @param peer as `call.getPeer()` says */
  drop(peer: string): void {
    this.#sockets.get(peer)?.destroy();
  }

  /** Accepts nobody any more; live connections may end by themselves within `graceMs`, then they are destroyed. */
  async stop(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    for (const injector of [...this.#replaced, this.#injector]) injector.drain(graceMs);
    this.#front.stop();
    const timer = setTimeout(() => this.#destroyAll(), graceMs);
    await closed;
    clearTimeout(timer);
    this.server.forceShutdown();
  }

  #newInjector(identity: ServerIdentity, clientCa: string | null): Injector {
    const chain = clientCa === null ? identity.joiningPem : identity.certificatePem;
    const roots = clientCa === null ? null : Buffer.from(clientCa);
    return this.server.createConnectionInjector(new AgentTlsCredentials({ key: identity.keyPem, chain }, roots));
  }

  #accept(socket: Socket): void {
    // A reset by the peer is its own affair.
    socket.on('error', () => socket.destroy());
    this.#front.receive(socket, (peer, proxied) => this.#admit(socket, peer, proxied));
  }

  #admit(socket: Socket, from: Peer, proxied: boolean): void {
    const now = performance.now();
    // First: what one address is refused takes nothing from the others.
    const address = addressKey(from.address);
    const isTooOften = this.#addresses?.take(address, now).allowed === false;
    const refusal = isTooOften ? 'address' : this.#gate.admit(address, now);
    if (refusal !== undefined) {
      this.#options.onRefused?.(refusal);
      socket.destroy();
      return;
    }
    const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    if (proxied) this.#peers.set(peer, `${from.address}:${from.port}`);
    let finished = false;
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS);
    this.#pending.set(peer, () => {
      finished = true;
      clearTimeout(timer);
      this.#pending.delete(peer);
      this.#gate.finished(address);
    });
    this.#sockets.set(peer, socket);
    socket.once('close', () => {
      clearTimeout(timer);
      if (!finished) this.#pending.delete(peer);
      this.#peers.delete(peer);
      this.#sockets.delete(peer);
      this.#gate.closed(address, finished);
    });
    this.#injector.injectConnection(socket);
  }

  #destroyAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}
