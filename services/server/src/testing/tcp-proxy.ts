import { connect, createServer, type Server, type Socket } from 'node:net';

/** A line to a server that a test can cut and mend. */
export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  readonly #listen: string;
  #server: Server | undefined;
  port = 0;

  /** @param listen address that it listens on. */
  constructor(target: { readonly host: string; readonly port: number }, listen = '127.0.0.1') {
    this.#target = target;
    this.#listen = listen;
  }

  /** The same URL through a proxy of its own. */
  static async before(url: string, listen = '127.0.0.1'): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
    const through = new URL(url);
    const proxy = new TcpProxy({ host: through.hostname, port: Number(through.port || 5432) }, listen);
    await proxy.mend();
    through.hostname = listen;
    through.port = String(proxy.port);
    return { proxy, url: through.href };
  }

  /** Accepts connections, on the same port as before. */
  mend(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.#pipe(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.#listen, () => {
        const address = server.address();
        this.port = typeof address === 'object' && address !== null ? address.port : 0;
        resolve();
      });
    });
  }

  /** Breaks every connection and refuses new ones. */
  async cut(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #pipe(socket: Socket): void {
    const upstream = connect({ ...this.#target, noDelay: true });
    for (const each of [socket, upstream]) {
      this.#sockets.add(each);
      each.on('error', () => undefined);
      each.once('close', () => {
        this.#sockets.delete(each);
        socket.destroy();
        upstream.destroy();
      });
    }
    socket.pipe(upstream).pipe(socket);
  }
}
