import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, readServerConfig } from './server-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'modfleet-bus-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const read = (settings: Record<string, string>) =>
  readServerConfig({ DATABASE_URL: 'postgresql://h/d', ...settings }).bus;

function problems(settings: Record<string, string>): string {
  try {
    read(settings);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  throw new Error('the settings were taken');
}

describe('MODFLEET_BUS_URL', () => {
  it('left out, means PostgreSQL', () => expect(read({})).toEqual({ kind: 'postgres' }));

  it('names one NATS server or several, with TLS or without', () => {
    const rest = { kind: 'nats', credentials: null, caFile: null };
    expect(read({ MODFLEET_BUS_URL: 'nats://10.0.0.5' })).toEqual({ ...rest, tls: false, servers: ['10.0.0.5:4222'] });
    expect(read({ MODFLEET_BUS_URL: 'tls://a.example:4223, tls://[fd00::1]' })).toEqual({
      ...rest,
      tls: true,
      servers: ['a.example:4223', '[fd00::1]:4222'],
    });
  });

  it.each([
    ['http://nats', 'is no address of a NATS server'],
    ['nats://a,', 'is no address of a NATS server'],
    ['nats://a,tls://b', 'mixes nats:// and tls://'],
    ['nats://a/b', 'more in it than a name and a port'],
    ['nats://me:hidden@a', 'MODFLEET_BUS_CREDENTIALS_FILE'],
  ])('%s is refused, and a password is not repeated', (url, why) => {
    const said = problems({ MODFLEET_BUS_URL: url });
    expect(said).toMatch(/^MODFLEET_BUS_URL /);
    expect(said).toContain(why);
    expect(said).not.toContain('hidden');
  });
});

describe('MODFLEET_BUS_CREDENTIALS_FILE', () => {
  const url = { MODFLEET_BUS_URL: 'tls://nats' };
  const of = (text: string) => {
    const bus = read({ ...url, MODFLEET_BUS_CREDENTIALS_FILE: file('credentials', text) });
    return bus.kind === 'nats' ? bus.credentials : undefined;
  };
  const seed = `SU${'A'.repeat(56)}`;

  it('holds a user and a password, an nkey, or what NATS calls creds', () => {
    expect(of('modfleet:a:b/c=\n')).toEqual({ kind: 'password', user: 'modfleet', password: 'a:b/c=' });
    expect(of(`${seed}\n`)).toEqual({ kind: 'nkey', seed });
    const creds = '-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------';
    expect(of(creds)).toEqual({ kind: 'creds', text: creds });
  });

  it('that holds something else, or is not there, is refused by name and never shown', () => {
    const said = problems({ ...url, MODFLEET_BUS_CREDENTIALS_FILE: file('other', 'word') });
    expect(said).toContain('holds no credentials');
    expect(said).not.toContain('word');
    expect(problems({ ...url, MODFLEET_BUS_CREDENTIALS_FILE: join(folder, 'none') })).toContain('ENOENT');
  });

  it('and a CA file mean nothing without what they are for', () => {
    expect(problems({ MODFLEET_BUS_CREDENTIALS_FILE: '/x', MODFLEET_BUS_CA_FILE: '/y' })).toMatch(
      /CREDENTIALS_FILE is for the NATS server of MODFLEET_BUS_URL[^]*CA_FILE is for the NATS server/,
    );
    const ca = file('ca.pem', '-----BEGIN CERTIFICATE-----');
    expect(problems({ MODFLEET_BUS_URL: 'nats://a', MODFLEET_BUS_CA_FILE: ca })).toContain('write tls://');
    expect(problems({ ...url, MODFLEET_BUS_CA_FILE: file('no.pem', 'x') })).toContain('holds no certificate');
  });
});
