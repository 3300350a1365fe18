/**
 * A gRPC server behind a TCP listener of our own.
 *
 * INVARIANTS
 * - Every accepted socket is destroyed at once, or waits in the line (at most LINE_TIMEOUT_MS) and is then destroyed or handed to grpc-js; each that is handed on is counted in
 *   the gate exactly once in and once out.
 * - Of who waits nothing is read: what a flood sends stays in the kernel's own small buffers.
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
import { type LineLimits, type Turn, WaitingLine } from './waiting-line.ts';
import { ProxyFront } from './proxy/proxy-front.ts';
import type { Peer } from './proxy/proxy-header.ts';

/** A TLS handshake over a bad line takes a second or two; a fleet that comes back at once makes a server slow, and a small machine with much to do is slow itself. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** Agents wait a minute for their welcome, and come again. */
const LINE_TIMEOUT_MS = 45_000;
/** How soon somebody is looked for whom the rate lets in now. */
const RATE_LOOK_MS = 20;
/** Addresses that are remembered. */
const ADDRESSES = 20_000;

export interface ListenerLimits extends GateLimits, LineLimits {
  readonly perAddress: GateLimits['perAddress'] & LineLimits['perAddress'];
}

export interface GrpcListenerOptions {
  readonly listen: ListenAddress;
  readonly limits: ListenerLimits;
  /** New connections of one address; absent: no limit of its own. */
  readonly addressLimit?: BucketLimit;
  readonly grpc: ServerOptions;
  /** PEM of the CAs, when a client must show a certificate of one of them. Null: clients have none, and may look for the CA that they pin. */
  readonly clientCa: string | null;
  readonly identity: ServerIdentity;
  /** Another time limit for tests. */
  readonly handshakeTimeoutMs?: number;
  readonly lineTimeoutMs?: number;
  /** Who says in a PROXY header whose connection it is; absent: nobody. */
  readonly balancers?: BlockList | undefined;
  /** `words`: what was wrong with a balancer's header. */
  readonly onRefused?: (refusal: Refused, words?: string) => void;
}

/** Why a connection is turned away: by the gate, for the rate of its address, its balancer's header, no place in the line, or a turn that did not come in time. */
type Refused = Refusal | 'address' | 'proxy_header' | 'line' | 'waited';

type Injector = ReturnType<Server['createConnectionInjector']>;

/** Somebody who wants in. */
interface Comer {
  readonly socket: Socket;
  /** As the gate counts it. */
  readonly address: string;
  /** Whose connection it is, where a balancer has said so. */
  readonly proxiedFor: string | undefined;
  readonly expiry: NodeJS.Timeout;
}

/** What ends by itself while somebody waits: how long it concerns. */
const WAITED_FOR: Partial<Record<Refusal, Turn>> = {
  address_unfinished: 'waits',
  unfinished: 'all_wait',
  rate: 'all_wait',
};

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
  readonly #line: WaitingLine<Comer>;
  #lineTimer: NodeJS.Timeout | undefined;
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
    this.#line = new WaitingLine(options.limits);
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
    this.#net = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000, pauseOnConnect: true },
      (socket) => this.#accept(socket),
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
    this.#turnAllAway();
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
    const address = addressKey(from.address);
    // First: what one address is refused takes nothing from the others.
    if (this.#addresses?.take(address, performance.now()).allowed === false) return this.#turnAway(socket, 'address');
    const comer: Comer = {
      socket,
      address,
      proxiedFor: proxied ? `${from.address}:${from.port}` : undefined,
      expiry: setTimeout(() => {
        if (this.#line.remove(address, comer)) this.#turnAway(socket, 'waited');
      }, this.#options.lineTimeoutMs ?? LINE_TIMEOUT_MS),
    };
    if (this.#line.length === 0 && this.#turn(comer, this.#turnOf(address))) return;
    if (this.#line.push(address, comer)) {
      // Who goes meanwhile (behind a balancer that is noticed) does not take the place of another.
      socket.once('close', () => this.#line.remove(address, comer) && clearTimeout(comer.expiry));
      return this.#advance();
    }
    clearTimeout(comer.expiry);
    this.#turnAway(socket, 'line');
  }

  /** False: it has to wait. */
  #turn(comer: Comer, turn: Turn): boolean {
    if (turn === 'waits' || turn === 'all_wait') return false;
    clearTimeout(comer.expiry);
    if (turn === 'in') this.#letIn(comer);
    else this.#turnAway(comer.socket, turn.away);
    return true;
  }

  /** Lets in, or turns away, whoever need not wait. */
  #advance(): void {
    for (;;) {
      const taken = this.#line.take((address) => this.#turnOf(address));
      if (taken === undefined) break;
      this.#turn(taken.who, taken.turn);
    }
    // The rate lets more in with time alone; everybody else waits for somebody to go on or away.
    if (this.#line.length > 0 && this.#lineTimer === undefined)
      this.#lineTimer = setTimeout(() => {
        this.#lineTimer = undefined;
        this.#advance();
      }, RATE_LOOK_MS);
  }

  #turnOf(address: string): Turn {
    const refusal = this.#gate.admit(address, performance.now());
    return refusal === undefined ? 'in' : (WAITED_FOR[refusal] ?? { away: refusal });
  }

  #turnAway(socket: Socket, refusal: Refused): void {
    this.#options.onRefused?.(refusal);
    socket.destroy();
  }

  #turnAllAway(): void {
    clearTimeout(this.#lineTimer);
    for (let taken = this.#line.take(() => 'in'); taken !== undefined; taken = this.#line.take(() => 'in')) {
      clearTimeout(taken.who.expiry);
      taken.who.socket.destroy();
    }
  }

  #letIn({ socket, address, proxiedFor }: Comer): void {
    const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    if (proxiedFor !== undefined) this.#peers.set(peer, proxiedFor);
    let finished = false;
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS);
    this.#pending.set(peer, () => {
      finished = true;
      clearTimeout(timer);
      this.#pending.delete(peer);
      this.#gate.finished(address);
      this.#advance();
    });
    this.#sockets.set(peer, socket);
    socket.once('close', () => {
      clearTimeout(timer);
      if (!finished) this.#pending.delete(peer);
      this.#peers.delete(peer);
      this.#sockets.delete(peer);
      this.#gate.closed(address, finished);
      this.#advance();
    });
    this.#injector.injectConnection(socket);
  }

  #destroyAll(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}
