import { connect, createServer, isIPv4, type Server, type Socket } from 'node:net';
import { proxyHeader } from '../../../services/server/src/agent-session/proxy/testing/write-header.ts';

/** A server that did not take a connection is left out for so long. */
const DOWN_MS = 500;

interface Target {
  readonly host: string;
  readonly port: number;
  readonly sockets: Set<Socket>;
  downUntilMs: number;
}

/** A TCP balancer on 127.0.0.1: the server with the fewest connections gets the next, with a PROXY header that says whose it is. */
export class TcpBalancer {
  readonly #port: number;
  readonly #targets: Target[] = [];
  readonly #clients = new Set<Socket>();
  #server: Server | undefined;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Passes on to the same port of the hosts that are added. */
  static async listen(port: number): Promise<TcpBalancer> {
    const balancer = new TcpBalancer(port);
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => balancer.#forward(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', 4_096, resolve);
    });
    balancer.#server = server;
    return balancer;
  }

  add(host: string): void {
    this.#targets.push({ host, port: this.#port, sockets: new Set(), downUntilMs: 0 });
  }

  close(): void {
    this.#server?.close();
    for (const client of this.#clients) client.destroy();
  }

  #forward(client: Socket): void {
    this.#clients.add(client);
    client.on('error', () => undefined);
    client.once('close', () => this.#clients.delete(client));
    this.#try(client, new Set());
  }

  #try(client: Socket, tried: ReadonlySet<Target>): void {
    const nowMs = performance.now();
    const target = this.#targets
      .filter((each) => !tried.has(each) && each.downUntilMs <= nowMs)
      .sort((a, b) => a.sockets.size - b.sockets.size)[0];
    if (target === undefined || client.destroyed) return void client.destroy();
    const upstream = connect({ host: target.host, port: target.port, noDelay: true });
    target.sockets.add(upstream);
    let reached = false;
    upstream.once('connect', () => {
      reached = true;
      upstream.write(headerFor(client));
      client.pipe(upstream).pipe(client);
      client.resume();
    });
    upstream.on('error', () => undefined);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => {
      target.sockets.delete(upstream);
      if (reached) return void client.destroy();
      target.downUntilMs = performance.now() + DOWN_MS;
      this.#try(client, new Set([...tried, target]));
    });
  }
}

function headerFor({ remoteAddress = '', remotePort = 0 }: Socket): Buffer {
  if (!isIPv4(remoteAddress)) throw new Error(`a client of a test comes from ${remoteAddress}`);
  return proxyHeader({ source: remoteAddress, port: remotePort, fields: [] });
}
