import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cut, json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';

const cli = useCli();
const NO_ENV = { MODFLEET_URL: '', MODFLEET_TOKEN: '' };
const SECRET = `mfs_${'s'.repeat(43)}`;
const signedIn = {
  account: { id: '33333333-3333-4333-8333-333333333333', name: 'kim' },
  signInId: '44444444-4444-4444-8444-444444444444',
  expiresAt: '2026-11-23T02:03:30.000Z',
  idleSeconds: 7200,
  secret: SECRET,
};
const config = () => readFileSync(join(cli.folder(), 'config.yaml'), 'utf8');
const store = (text: string) => writeFileSync(join(cli.folder(), 'config.yaml'), text, { mode: 0o600 });
const stored = () =>
  `url: "${cli.server().url}"\ntoken: "${SECRET}"\nuser: "kim"\nsign_in: "password"\nexpires_at: "2026-11-23T02:03:30.000Z"\n`;

describe('login --user', () => {
  it('asks for the password without showing it, and keeps what it gets for it', async () => {
    cli.server().on('POST /login', json(signedIn));
    const { url } = cli.server();
    const { code, out, err } = await cli.run(['login', '--url', url, '--user', 'kim'], {
      env: NO_ENV,
      typed: [' pass word with blanks '],
    });
    expect([code, out]).toEqual([0, '']);
    expect(err).toContain(
      `Password of kim at ${url} (not shown): Signed in to ${url} as kim, until 23 Nov 02:03 at the latest`,
    );
    const [request] = cli.server().requests;
    expect(request?.body).toEqual({ user: 'kim', password: ' pass word with blanks ', carrier: 'bearer' });
    expect(request?.headers.authorization).toBeUndefined();
    expect(request?.headers['idempotency-key']).toBeUndefined();
    expect(config()).toContain(stored());
    expect(config()).not.toContain('pass word');
    expect(statSync(join(cli.folder(), 'config.yaml')).mode & 0o777).toBe(0o600);
    cli.server().on('GET /sessions', json({ items: [], nextCursor: null, freeze: null }));
    await cli.run(['sessions', 'list'], { env: NO_ENV });
    expect(cli.server().requests.at(-1)?.headers.authorization).toBe(`Bearer ${SECRET}`);
  });

  it('takes the password from standard input or a file, as it is but for the end of the line', async () => {
    cli.server().on('POST /login', json(signedIn));
    const args = ['login', '--url', cli.server().url, '--user', 'kim', '--password-file'];
    await cli.run([...args, '-'], { env: NO_ENV, piped: ' by pipe \n' });
    const file = join(cli.folder(), 'password');
    writeFileSync(file, 'by file\r\n');
    await cli.run([...args, file], { env: NO_ENV });
    expect(cli.server().requests.map(({ body }) => (body as { password: string }).password)).toEqual([
      ' by pipe ',
      'by file',
    ]);
  });

  it('has another password chosen where it was a one-time password', async () => {
    const { url } = cli.server();
    cli.server().on('POST /login', problem(403, 'password_change_required', 'choose one of yours'), json(signedIn));
    const typed = ['one-time', 'seven sleepy herons', 'seven sleepy herons'];
    const { code, err } = await cli.run(['login', '--url', url, '--user', 'kim'], { env: NO_ENV, typed });
    expect(code).toBe(0);
    expect(err).toContain(
      'This password was for one sign-in: choose one of yours.\nNew password (not shown): The same again: ',
    );
    expect(cli.server().requests.at(-1)?.body).toEqual({
      user: 'kim',
      password: 'one-time',
      newPassword: 'seven sleepy herons',
      carrier: 'bearer',
    });
  });

  it('changes nothing when the two are not the same, and tells a script how', async () => {
    const { url } = cli.server();
    cli.server().on('POST /login', problem(403, 'password_change_required', 'choose one of yours'));
    const typed = ['one-time', 'seven sleepy herons', 'eight'];
    const differs = await cli.run(['login', '--url', url, '--user', 'kim'], { env: NO_ENV, typed });
    expect([differs.code, cli.server().requests.length]).toEqual([2, 1]);
    expect(differs.err).toContain('the two are not the same; nothing was changed');
    const script = await cli.run(['login', '--url', url, '--user', 'kim', '--password-file', '-'], {
      env: NO_ENV,
      piped: 'one-time\n',
    });
    expect(script.code).toBe(4);
    expect(script.err).toContain('--new-password-file FILE');
  });

  it('says what the server says, and when to come again', async () => {
    const { url } = cli.server();
    const args = ['login', '--url', url, '--user', 'kim', '--password-file', '-'];
    cli.server().on('POST /login', problem(401, 'login_failed', 'the name or the password is wrong'));
    const wrong = await cli.run(args, { env: NO_ENV, piped: 'x' });
    expect([wrong.code, wrong.err]).toEqual([4, 'modfleet: the name or the password is wrong\n']);
    cli.server().on('POST /login', problem(429, 'rate_limited', 'too many tries', { retryAfterSeconds: 8 }));
    const slow = await cli.run(args, { env: NO_ENV, piped: 'x' });
    expect([slow.code, slow.err]).toEqual([5, 'modfleet: too many tries\n  try again in 8 s\n']);
  });

  it.each([
    [['--user', 'kim', '--oidc'], 'choose one'],
    [['--user', 'kim', '--token-file', '-'], 'choose one'],
    [['--password-file', '-'], 'a password belongs to an account'],
    [['--user', 'kim'], 'there is no terminal to ask for the password on'],
  ])('refuses %j', async (args, why) => {
    const { code, err } = await cli.run(['login', ...args], { env: NO_ENV });
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(cli.server().requests).toEqual([]);
  });
});

describe('plain http', () => {
  const REMOTE = 'http://192.0.2.1:7780';
  const REFUSED = `modfleet: ${REMOTE} is not encrypted`;

  it.each([
    ['a password', ['login', '--url', REMOTE, '--user', 'kim']],
    ['a token', ['login', '--url', REMOTE]],
    ['an identity provider', ['login', '--url', REMOTE, '--oidc']],
  ])('to another machine takes nobody’s secret: %s', async (_words, args) => {
    const { code, err } = await cli.run(args, { env: NO_ENV, typed: ['mfl_secret'] });
    expect([code, err.split(':', 1)[0]]).toEqual([2, 'modfleet']);
    expect(err).toContain(REFUSED);
    expect(err).toContain(`modfleet login --url ${REMOTE} --insecure-http, or MODFLEET_INSECURE_HTTP=1`);
    expect(err).not.toContain('not shown');
  });

  it.each([
    ['the environment', { MODFLEET_URL: REMOTE, MODFLEET_TOKEN: 'mfl_x' }, ''],
    ['the settings', NO_ENV, `url: ${REMOTE}\ntoken: mfl_x\n`],
    ['a name that looks like this machine', { MODFLEET_URL: 'http://127.0.0.1.example.org', MODFLEET_TOKEN: 'x' }, ''],
  ])('takes no token from %s', async (_words, env, text) => {
    if (text !== '') store(text);
    const { code, err } = await cli.run(['hosts', 'list'], { env });
    expect(code).toBe(2);
    expect(err).toContain('is not encrypted');
  });

  it('is taken where somebody says so', async () => {
    const world = {
      env: { ...NO_ENV, MODFLEET_URL: 'http://nowhere.invalid', MODFLEET_TOKEN: 'mfl_x', MODFLEET_INSECURE_HTTP: '1' },
    };
    expect((await cli.run(['hosts', 'list'], world)).code).toBe(5);
    store('url: http://nowhere.invalid\ntoken: mfl_x\ninsecure_http: "true"\n');
    expect((await cli.run(['hosts', 'list'], { env: NO_ENV })).code).toBe(5);
    store('url: http://127.0.0.1:1\n');
    const login = await cli.run(['login', '--url', 'http://nowhere.invalid', '--insecure-http', '--token-file', '-'], {
      env: NO_ENV,
      piped: 'mfl_x',
    });
    expect(login.code).toBe(5);
  });
});

describe('login --oidc', () => {
  const offer = {
    userCode: 'ABCD-EFGH',
    verificationUri: 'https://id.example.org/device',
    verificationUriComplete: 'https://id.example.org/device?user_code=ABCD-EFGH',
    expiresInSeconds: 600,
    intervalSeconds: 5,
    pending: 'sealed',
  };
  const pending = (slower = false) => json({ state: 'pending', slower }, 202);
  const away = problem(503, 'oidc_unavailable', 'away', { retryAfterSeconds: 5 });

  it('shows where to go and what to type, and waits, also through a moment in which the server is away', async () => {
    cli.server().on('POST /oidc/device', json(offer));
    cli.server().on('POST /oidc/device/poll', pending(), pending(true), away, cut, json(signedIn));
    const { code, err } = await cli.run(['login', '--url', cli.server().url, '--oidc'], { env: NO_ENV });
    expect(code).toBe(0);
    expect(err).toContain(
      'Open https://id.example.org/device in a browser, on any machine, and type: ABCD-EFGH\nOr at once: https://id.example.org/device?user_code=ABCD-EFGH\n',
    );
    expect(cli.server().requests).toHaveLength(6);
    expect(cli.server().requests.at(-1)?.body).toEqual({ pending: 'sealed' });
    expect(config()).toContain('sign_in: "oidc"');
  });

  it('ends when nobody comes, when the provider refuses, and where there is none', async () => {
    cli.server().on('POST /oidc/device', json({ ...offer, expiresInSeconds: 20 }));
    cli.server().on('POST /oidc/device/poll', pending());
    const args = ['login', '--url', cli.server().url, '--oidc'];
    expect((await cli.run(args, { env: NO_ENV })).code).toBe(7);
    cli.server().on('POST /oidc/device/poll', problem(401, 'oidc_refused', 'it answered access_denied'));
    const refused = await cli.run(args, { env: NO_ENV });
    expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('begin again: modfleet login --oidc')]);
    cli.server().on('POST /oidc/device', problem(404, 'oidc_not_set_up', 'no identity provider'));
    expect((await cli.run(args, { env: NO_ENV })).code).toBe(3);
  });
});

describe('logout', () => {
  it('ends the sign-in at the server, and forgets it', async () => {
    store(stored());
    cli.server().on('POST /logout', json({ signInId: signedIn.signInId, endedAt: '2026-11-22T14:03:30.000Z' }));
    const { code, err } = await cli.run(['logout'], { env: NO_ENV });
    expect([code, err]).toEqual([0, `Signed out of ${cli.server().url}.\n`]);
    expect(cli.server().requests[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(config()).toContain(`url: "${cli.server().url}"\n`);
    expect(config()).not.toContain('mfs_');
    expect((await cli.run(['logout'], { env: NO_ENV })).code).toBe(4);
    expect((await cli.run(['hosts', 'list'], { env: NO_ENV })).code).toBe(4);
  });

  it('forgets one that has ended anyway; keeps one that the server does not hear of, unless told', async () => {
    store(stored());
    cli.server().on('POST /logout', problem(401, 'session_ended', 'over'));
    expect((await cli.run(['logout'], { env: NO_ENV })).code).toBe(0);
    store(stored());
    cli.server().on('POST /logout', problem(503, 'overloaded', 'busy'));
    const away = await cli.run(['logout'], { env: NO_ENV });
    expect([away.code, config()]).toEqual([5, stored()]);
    expect(away.err).toContain('modfleet logout --local');
    const local = await cli.run(['logout', '--local'], { env: NO_ENV });
    expect([local.code, config()]).toEqual([0, expect.not.stringContaining('mfs_')]);
  });

  it('does not end an API token', async () => {
    store(`url: ${cli.server().url}\ntoken: mfl_x\n`);
    const { code, err } = await cli.run(['logout'], { env: NO_ENV });
    expect([code, cli.server().requests.length]).toEqual([0, 0]);
    expect(err).toContain('It stays good until it is revoked');
  });
});

describe('a sign-in that has ended', () => {
  it.each([
    ['user: "kim"\nsign_in: "password"\n', 'run: modfleet login --user kim'],
    ['user: "kim"\nsign_in: "oidc"\n', 'run: modfleet login --oidc'],
    ['', 'run: modfleet login\n'],
  ])('says how to sign in again (%j)', async (lines, hint) => {
    store(`url: "${cli.server().url}"\ntoken: "${SECRET}"\n${lines}`);
    cli.server().on('GET /hosts', problem(401, 'session_ended', 'this sign-in is over since 2026'));
    const { code, err } = await cli.run(['hosts', 'list'], { env: NO_ENV });
    expect(code).toBe(4);
    expect(err).toContain(hint);
    expect(err).not.toContain('mfs_');
  });
});
