import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliError } from '../errors/cli-error.ts';
import { loadSettings } from './cli-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modfleet-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const settings = (env: Record<string, string> = {}) =>
  loadSettings({ env, userFile: join(folder, 'config.yaml'), cloneFile: join(folder, 'cli.yaml') });
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

/** The error that settings end with. */
function failure(env: Record<string, string> = {}): CliError {
  try {
    settings(env);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('settings were accepted');
}

describe('settings', () => {
  it('come from the environment first, then the user, then the clone', () => {
    write('token', ' mfl_file\n');
    write('cli.yaml', 'url: http://127.0.0.1:7780\ntoken_file: token\n');
    expect(settings()).toMatchObject({ url: 'http://127.0.0.1:7780', token: 'mfl_file', ca: undefined });
    write('config.yaml', 'url: "https://fleet.example.com/"\ntoken: mfl_user\n');
    expect(settings()).toMatchObject({ url: 'https://fleet.example.com', token: 'mfl_user' });
    expect(settings({ MODFLEET_URL: 'http://10.0.0.1:1/api/v1/', MODFLEET_TOKEN: 'mfl_env' })).toMatchObject({
      url: 'http://10.0.0.1:1',
      token: 'mfl_env',
      source: 'the environment',
    });
    expect(settings({ MODFLEET_TOKEN_FILE: join(folder, 'token') }).token).toBe('mfl_file');
  });

  it('come from the clone where the user has signed out', () => {
    write('cli.yaml', 'url: http://127.0.0.1:7780\ntoken: mfl_clone\n');
    write('config.yaml', 'url: https://fleet.example.com\n');
    expect(settings()).toMatchObject({ url: 'http://127.0.0.1:7780', token: 'mfl_clone' });
    expect(settings({ MODFLEET_TOKEN: 'mfl_env' }).url).toBe('https://fleet.example.com');
    write('config.yaml', 'url: https://fleet.example.com\ntoken: mfl_user\n');
    expect(settings().token).toBe('mfl_user');
  });

  it('send a stored token to no other server', () => {
    write('config.yaml', 'url: https://fleet.example.com\ntoken: mfl_user\n');
    const error = failure({ MODFLEET_URL: 'https://other.example.com' });
    expect([error.exitCode, error.message]).toEqual([
      4,
      `no token is known for https://other.example.com (the token in ${join(folder, 'config.yaml')} is for https://fleet.example.com)`,
    ]);
    expect(settings({ MODFLEET_URL: 'https://fleet.example.com/' }).token).toBe('mfl_user');
  });

  it('use the default address when only a token is given', () => {
    expect(settings({ MODFLEET_TOKEN: 'mfl_x' }).url).toBe('http://127.0.0.1:7780');
  });

  it('read the CA where one is named', () => {
    write('ca.pem', 'PEM');
    expect(settings({ MODFLEET_TOKEN: 'x', MODFLEET_CA_FILE: join(folder, 'ca.pem') }).ca).toBe('PEM');
  });

  it('read YAML that is not flat as well', () => {
    write('config.yaml', "# mine\nurl: >-\n  https://fleet.example.com\ntoken: 'mfl_user'\n");
    expect(settings()).toMatchObject({ url: 'https://fleet.example.com', token: 'mfl_user' });
  });

  it.each([
    ['nothing at all', undefined, {}, 4, 'no server is known'],
    ['no YAML', 'url: [', {}, 2, 'is no YAML'],
    ['no mapping', '- a\n', {}, 2, 'holds no settings'],
    ['an unknown key', 'url: http://x\ntokn: y\n', {}, 2, '"tokn" is no setting'],
    ['no address', 'token: y\n', {}, 2, 'url is missing'],
    ['a wrong address', 'url: "ftp://x"\ntoken: y\n', {}, 2, 'is no address of an API'],
    ['a password in the address', 'url: "http://a:b@x"\ntoken: y\n', {}, 2, 'no user name or password'],
    ['a token file that is not there', 'url: http://x\ntoken_file: gone\n', {}, 2, 'cannot read the token'],
    ['a token that is none', undefined, { MODFLEET_TOKEN: 'two words' }, 4, 'something else than one token'],
  ])('say what is wrong: %s', (_name, text, env, code, message) => {
    if (text !== undefined) write('config.yaml', text);
    const error = failure(env);
    expect(error.exitCode).toBe(code);
    expect(error.message).toContain(message);
  });

  it('never show a token', () => {
    write('config.yaml', 'url: "ftp://x"\ntoken: mfl_secret\n');
    const error = failure();
    expect([error.message, ...error.hints].join(' ')).not.toContain('mfl_secret');
  });
});
