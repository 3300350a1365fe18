import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, coverage } from '../testing/samples.ts';

const cli = useCli();
const hosts = json({
  items: [],
  nextCursor: null,
  matched: 5,
  unknown: 0,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: null,
});
const NO_ENV = { MODFLEET_URL: '', MODFLEET_TOKEN: '' };

describe('login', () => {
  it('stores a token that the server accepts, for this user only, and uses it from then on', async () => {
    cli.server().on('GET /hosts', hosts);
    const { url } = cli.server();
    const { code, err } = await cli.run(['login', '--url', `${url}/`], { env: NO_ENV, typed: ['mfl_typed '] });
    const path = join(cli.folder(), 'config.yaml');
    expect(err).toBe(`Token for ${url} (not shown): Logged in to ${url}: 5 hosts in the fleet. Kept in ${path}\n`);
    expect(code).toBe(0);
    expect(readFileSync(path, 'utf8')).toContain(`url: "${url}"\ntoken: "mfl_typed"\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await cli.run(['hosts', 'list'], { env: NO_ENV })).code).toBe(0);
    expect(cli.server().requests.map((request) => request.headers.authorization)).toEqual([
      'Bearer mfl_typed',
      'Bearer mfl_typed',
    ]);
  });

  it('stores nothing when the server refuses, and keeps what was there', async () => {
    const path = join(cli.folder(), 'config.yaml');
    writeFileSync(path, `url: ${cli.server().url}\ntoken: mfl_old\n`, { mode: 0o644 });
    cli.server().on('GET /hosts', problem(401, 'token_expired', 'the token has expired'));
    const { code, err } = await cli.run(['login', '--token-file', '-'], { env: NO_ENV, piped: 'mfl_new\n' });
    expect([code, err]).toEqual([4, 'modfleet: the token has expired\n  run: modfleet login\n']);
    expect(readFileSync(path, 'utf8')).toContain('mfl_old');
    cli.server().on('GET /hosts', hosts);
    await cli.run(['login', '--token-file', '-'], { env: NO_ENV, piped: 'mfl_new\n' });
    expect(readFileSync(path, 'utf8')).toContain('mfl_new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('wants a way to get the token', async () => {
    expect((await cli.run(['login'], { env: NO_ENV })).code).toBe(2);
    expect((await cli.run(['login', '--token-file', '-'], { env: NO_ENV, piped: '' })).code).toBe(4);
    expect((await cli.run(['login', '--url', 'here'], { env: NO_ENV })).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
  });
});
