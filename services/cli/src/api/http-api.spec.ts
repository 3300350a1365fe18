import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { CliError } from '../errors/cli-error.ts';
import { fakeIo } from '../testing/fake-io.ts';
import { cut, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { networkError } from './network-error.ts';

const cli = useCli();

/** A port of the loopback on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

describe('the way to the server', () => {
  it('says when nothing listens there', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { code, err } = await cli.run(['hosts', 'list'], { env: { MODFLEET_URL: url } });
    expect(code).toBe(5);
    expect(err).toBe(
      `modfleet: cannot reach the server at ${url}: nothing listens there\n  start one in this clone: npm start\n  or use another: modfleet login --url URL\n`,
    );
  });

  it('says when the connection is cut, and does not ask again for what only reads', async () => {
    cli.server().on('GET /hosts', cut);
    const { code, err } = await cli.run(['hosts', 'list']);
    expect(code).toBe(5);
    expect(err).toContain('the connection was cut');
    expect(cli.server().requests).toHaveLength(1);
  });

  it('knows a server that is none of ours', async () => {
    cli
      .server()
      .on(
        'GET /hosts',
        (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      );
    const page = await cli.run(['hosts', 'list']);
    expect([page.code, page.err.split('\n')[0]]).toEqual([
      5,
      `modfleet: ${cli.server().url} does not look like a modfleet server: it did not answer in JSON`,
    ]);
    cli
      .server()
      .on(
        'GET /hosts',
        (_request, response) => void response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'),
      );
    expect((await cli.run(['hosts', 'list'])).err).toContain('it answered 502 with text/html');
  });

  it('follows no redirect: the token is for one server only', async () => {
    cli
      .server()
      .on(
        'GET /hosts',
        (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      );
    expect((await cli.run(['hosts', 'list'])).code).toBe(5);
  });

  it.each([
    [401, 'token_revoked', {}, 4, 'run: modfleet login'],
    [403, 'forbidden', {}, 4, ''],
    [503, 'database_unavailable', { retryAfterSeconds: 3 }, 5, 'try again in 3 s'],
    [500, 'internal', {}, 5, 'request req-1'],
    [418, 'some_new_code', {}, 2, ''],
    [410, 'some_new_code', {}, 2, ''],
    [504, 'some_new_code', {}, 7, ''],
  ])('%i %s ends with its exit code and what to do', async (status, code, fields, exit, hint) => {
    cli.server().on('GET /hosts', problem(status, code, 'the sentence of the server', fields));
    const ended = await cli.run(['hosts', 'list']);
    expect(ended.code).toBe(exit);
    expect(ended.err).toContain('modfleet: the sentence of the server');
    expect(ended.err).toContain(hint);
  });

  it('shows which fields of a request were wrong', async () => {
    cli
      .server()
      .on(
        'GET /hosts',
        problem(400, 'query_invalid', 'the query is wrong', { errors: [{ path: 'name', message: 'too long' }] }),
      );
    expect((await cli.run(['hosts', 'list'])).err).toBe('modfleet: the query is wrong\n  name: too long\n');
  });
});

describe('networkError', () => {
  const { signal } = fakeIo();
  const failed = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) });

  it.each([
    ['ENOTFOUND', 'that name is not known'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'shows a certificate that is not trusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'shows a certificate that is not trusted'],
    ['EWHATEVER', 'EWHATEVER'],
  ])('%s in words', (code, words) => {
    const error = networkError(failed(code), 'https://x', signal);
    expect(error).toBeInstanceOf(CliError);
    expect(error).toMatchObject({ exitCode: 5 });
    expect(error.message).toContain(words);
  });

  it('finds the reason below several attempts', () => {
    const both = new AggregateError([Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]);
    expect(networkError(new TypeError('fetch failed', { cause: both }), 'http://x', signal).message).toContain(
      'nothing listens there',
    );
  });

  it('tells a time limit from the rest', () => {
    expect(networkError(new DOMException('x', 'TimeoutError'), 'http://x', signal)).toMatchObject({ exitCode: 7 });
  });
});
