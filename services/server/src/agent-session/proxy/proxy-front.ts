/**
 * Before a listener: who really connects. A listed balancer says it in a PROXY header; everybody else connects for themselves.
 *
 * INVARIANTS
 * - A listed balancer that sends no header is refused: else its address would stand for everybody's.
 * - Of anybody else no header is looked for: what begins with one is no TLS, and fails as such.
 * - A header is bounded in bytes (proxy-header.ts) and time, and so are the connections that have sent none yet.
 * - A socket is handed on once, or destroyed; not one byte of what follows the header is lost.
 */
import type { BlockList, Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { HEADER_MAX_BYTES, type Peer, readProxyHeader } from './proxy-header.ts';

/** A balancer sends it with the first packet. */
const HEADER_TIMEOUT_MS = 5_000;

export interface ProxyFrontOptions {
  /** Undefined: there are none. */
  readonly balancers: BlockList | undefined;
  /** Connections of balancers that may wait for their header at a time. */
  readonly waiting: number;
  readonly onRefused: (reason: string, balancer: string) => void;
  /** Another time limit for tests. */
  readonly timeoutMs?: number | undefined;
}

export class ProxyFront {
  readonly #options: ProxyFrontOptions;
  readonly #waiting = new Set<Socket>();

  constructor(options: ProxyFrontOptions) {
    this.#options = options;
  }

  /** Hands the socket on, now or once its header has come. `proxied`: the peer is another than the socket's own. */
  receive(socket: Socket, handOn: (peer: Peer, proxied: boolean) => void): void {
    const own = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    if (!this.#isBalancer(own.address)) return handOn(own, false);
    if (this.#waiting.size >= this.#options.waiting) return this.#refuse(socket, own, 'too many without a header');
    this.#waiting.add(socket);
    const timer = setTimeout(
      () => this.#refuse(socket, own, 'no PROXY header in time'),
      this.#options.timeoutMs ?? HEADER_TIMEOUT_MS,
    );
    let seen: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const reading = readProxyHeader(seen.subarray(0, HEADER_MAX_BYTES));
      if (reading.kind === 'more') return;
      done();
      if (reading.kind === 'refused') return this.#refuse(socket, own, reading.reason);
      if (seen.length > reading.bytes) socket.unshift(seen.subarray(reading.bytes));
      handOn(reading.peer ?? own, reading.peer !== undefined);
    };
    const done = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(socket);
      socket.off('readable', onReadable);
      socket.off('close', done);
    };
    socket.on('readable', onReadable);
    // Node keeps a socket half open for one who may still answer; nobody here does before the header is there.
    socket.once('close', done);
    socket.once('end', () => this.#waiting.has(socket) && socket.destroy());
  }

  /** Nobody waits any more. */
  stop(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #isBalancer(address: string): boolean {
    return this.#options.balancers?.check(address, isIPv6(address) ? 'ipv6' : 'ipv4') === true;
  }

  #refuse(socket: Socket, balancer: Peer, reason: string): void {
    this.#options.onRefused(reason, balancer.address);
    socket.destroy();
  }
}
