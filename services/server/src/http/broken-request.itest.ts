import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { problemSchema } from './common.schema.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';

let port: number;

onTestDatabase(async (url) => {
  const server = await ApiServer.start(url);
  await server.app.listen(0, '127.0.0.1');
  port = (server.app.getHttpServer().address() as { port: number }).port;
  return server;
});

/** Sends bytes as they are; everything that comes back until the server closes. */
const answerTo = (text: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
  });

it.each([
  ['no HTTP at all', 'hello\r\n\r\n', 400, 'request_malformed'],
  ['no Host', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'request_malformed'],
  [
    'two lengths',
    'POST /api/v1/freeze HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
    400,
    'request_malformed',
  ],
  [
    'a length and chunks, as smugglers send',
    'POST /api/v1/freeze HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n',
    400,
    'request_malformed',
  ],
  [
    'an expectation',
    'GET /healthz HTTP/1.1\r\nhost: x\r\nexpect: tea\r\nconnection: close\r\n\r\n',
    400,
    'request_malformed',
  ],
  [
    'endless headers',
    `GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${'y'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['a URL that is none', 'GET /api/v1/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400, 'query_invalid'],
])('%s is answered with a problem, once, and the connection closed', async (_what, text, status, code) => {
  const answer = await answerTo(text);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toContain('content-type: application/problem+json');
  const problem = problemSchema.parse(JSON.parse(body));
  expect(problem).toMatchObject({ status, code });
  expect(head).toContain(`x-request-id: ${problem.requestId}`);
});
