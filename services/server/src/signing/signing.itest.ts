import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { complaintAboutSignature, UNSIGNED, Verb } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { CommandSigner } from './command-signer.ts';
import { EpochFile } from './epoch-file.ts';

const HOUR = 3_600_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modfleet-signing-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('CommandSigner', () => {
  it('uses a certificate for a day, one for each epoch, and covers the longest action of that day', async () => {
    let now = Date.now();
    const authority = await CertificateAuthority.open(join(folder, 'ca'), undefined, () => new Date(now));
    const signer = new CommandSigner({ command: generateKeyPairSync('ed25519').privateKey }, authority, () => now);
    const cas = [new X509Certificate(authority.certificate)];
    const sign = async (epoch: number) => {
      const request = {
        ...UNSIGNED,
        actionId: 'a',
        hostId: 'h',
        verb: Verb.VERB_LOAD,
        kmod: 'dummy',
        parameters: [],
        dryRun: false,
        expiresAtMs: now + 24 * HOUR,
        confirmWindowSeconds: 0,
        overrides: [],
        epoch,
        sequence: 1,
        notBeforeMs: now,
      };
      const { signature, certificate } = await signer.sign(request);
      expect(
        complaintAboutSignature({ ...request, signature, commandCertificate: certificate.der }, cas),
      ).toBeUndefined();
      return certificate.id.toString('hex');
    };
    const first = await sign(1);
    now += 23 * HOUR;
    expect(await sign(1)).toBe(first);
    now += 2 * HOUR;
    const second = await sign(1);
    expect(second).not.toBe(first);
    expect(await sign(2)).not.toBe(second);
    // A clock that was set back: the certificate is another one, and good.
    now -= 48 * HOUR;
    await sign(2);
  });
});

describe('EpochFile', () => {
  it('begins at 1, is for its owner alone, and is read anew', () => {
    const epoch = new EpochFile(join(folder, 'keys'));
    expect(epoch.read()).toBe(1);
    expect(statSync(epoch.path).mode & 0o777).toBe(0o600);
    new EpochFile(join(folder, 'keys')).write(5);
    expect(epoch.read()).toBe(5);
  });

  it('is not guessed from a damaged file', () => {
    mkdirSync(join(folder, 'keys'));
    const epoch = new EpochFile(join(folder, 'keys'));
    for (const text of ['', '0', '-1', '1e3', '99999999999', 'x']) {
      writeFileSync(epoch.path, text);
      expect(() => epoch.read()).toThrow(/epoch holds no epoch.*epoch raise/);
    }
  });
});
