import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/**
 * Stands between hosts and the session listener. While it loses answers, a connection that is made then gets through TLS and its request, and
 * nothing that the server says after that: the server has answered, and the host never hears it.
 */
export class LossyProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #losing = false;

  private constructor(target: { host: string; port: number }) {
    this.#server = createServer((client) => this.#forward(client, connect(target)));
  }

  static async listen(host: string, target: { host: string; port: number }): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    proxy.#server.listen(target.port, host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Only connections from now on are touched. */
  loseAnswers(losing: boolean): void {
    this.#losing = losing;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #forward(client: Socket, server: Socket): void {
    const losing = this.#losing;
    let serverSpoke = false;
    let deaf = false;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      // The client's second word ends the handshake and carries the request: from here on it hears nothing.
      if (losing && serverSpoke) deaf = true;
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      serverSpoke = true;
      if (!deaf) client.write(bytes);
    });
  }
}
