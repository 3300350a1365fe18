import { connect, createServer, type Server, type Socket } from 'node:net';
import { portOf } from '../../../testing/port-of.ts';

/** A TCP balancer before one listener on loopback, which begins each connection as `begin` says. */
export class HeaderBalancer {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** @param begin writes what comes before the client's bytes; resolves when these may follow. */
  static async before(
    target: string,
    begin: (upstream: Socket, client: Socket) => Promise<void> | void,
  ): Promise<HeaderBalancer> {
    const server = createServer({ pauseOnConnect: true }, (client) => {
      const upstream = connect(portOf(target), '127.0.0.1', () => {
        void Promise.resolve(begin(upstream, client)).then(() => {
          client.pipe(upstream).pipe(client);
          client.resume();
        });
      });
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        balancer.#sockets.add(one);
        one.setNoDelay(true);
        one.on('error', () => undefined);
        one.once('close', () => {
          balancer.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const balancer = new HeaderBalancer(server, typeof address === 'object' && address !== null ? address.port : 0);
    return balancer;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
