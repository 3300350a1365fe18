import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ServerKeys } from './server-keys.ts';

describe('ServerKeys', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'modfleet-keys-')), 'keys');
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

  const seen = (keys: ServerKeys) => [
    keys.command.export({ format: 'jwk' }).d,
    createHash('sha256').update(keys.sealKey('access').export()).digest('hex'),
  ];
  const text = (name: string) => readFileSync(join(folder, name), 'utf8');

  it('makes them once, for their owner alone, and another for each purpose', () => {
    const first = ServerKeys.open(folder, undefined);
    expect(seen(ServerKeys.open(folder, undefined))).toEqual(seen(first));
    expect(statSync(join(folder, 'command.key')).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(first.sealKey('access').symmetricKeySize).toBe(32);
    expect(first.sealKey('access').equals(first.sealKey('audit'))).toBe(false);
  });

  it('encrypts them under a passphrase, also those that were there', () => {
    const first = ServerKeys.open(folder, undefined);
    expect(text('command.key')).toContain('BEGIN PRIVATE KEY');
    expect(seen(ServerKeys.open(folder, 'long and random'))).toEqual(seen(first));
    for (const name of ['command.key', 'seal.key']) expect(text(name)).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(seen(ServerKeys.open(folder, 'long and random'))).toEqual(seen(first));
  });

  it('says what is wrong with a file, and the way out', () => {
    ServerKeys.open(folder, 'long and random');
    expect(() => ServerKeys.open(folder, undefined)).toThrow(/command\.key is encrypted.*MODFLEET_KEY_PASSPHRASE_FILE/);
    expect(() => ServerKeys.open(folder, 'another')).toThrow(/command\.key does not open.*passphrase/);
    writeFileSync(join(folder, 'command.key'), 'rubbish');
    expect(() => ServerKeys.open(folder, undefined)).toThrow(/command\.key holds no private key.*backup/);
  });
});
