import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as it arrived. */
export interface Received {
  readonly method: string;
  /** Below /api/v1, decoded, without the query. */
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

/** Answers a request; it may also end the connection. */
export type Handler = (request: Received, response: ServerResponse) => void | Promise<void>;

export interface FakeServer {
  readonly url: string;
  readonly requests: Received[];
  /** Answers of "GET /hosts" and so on; several for one route are used up in order, the last one stays. */
  on(route: string, ...handlers: Handler[]): void;
  close(): Promise<void>;
}

/** An HTTP server in this process, on a free port of the loopback. What has no handler is answered with 404. */
export async function startFakeServer(): Promise<FakeServer> {
  const routes = new Map<string, Handler[]>();
  const requests: Received[] = [];
  const server = createServer((request, response) => {
    void receive(request).then(async (received) => {
      requests.push(received);
      const handlers = routes.get(`${received.method} ${received.path}`) ?? [];
      const handler = handlers.length > 1 ? handlers.shift() : handlers[0];
      await (handler ?? problem(404, 'not_found', `no such resource: ${received.path}`))(received, response);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on: (route, ...handlers) => void routes.set(route, handlers),
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

async function receive(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const url = new URL(request.url ?? '/', 'http://x');
  return {
    method: request.method ?? '',
    path: decodeURIComponent(url.pathname).replace(/^\/api\/v1/, ''),
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
}

export function json(body: unknown, status = 200): Handler {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

export function problem(status: number, code: string, detail: string, fields: object = {}): Handler {
  return (_request, response) => {
    const body = { type: 'about:blank', title: code, status, detail, code, requestId: 'req-1', ...fields };
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
  };
}

/** Server-sent events, then the end. */
export function events(...list: readonly { event: string; id?: string; data: unknown }[]): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': hello\n\n');
    for (const { event, id, data } of list)
      response.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
    response.end();
  };
}

/** The connection is cut before an answer. */
export const cut: Handler = (_request, response) => {
  response.destroy();
};
