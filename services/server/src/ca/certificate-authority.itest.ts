import { generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostUri } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority, verifyCsr } from './certificate-authority.ts';
import { counterOf, serialOf } from './certificate-serial.ts';
import { keyFingerprint, P256, spkiOf, x509 } from './x509.ts';

const HOST = '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11';

describe('CertificateAuthority', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-ca-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps one CA, whoever starts first', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => CertificateAuthority.open(join(folder, 'ca'))));
    expect(new Set(opened.map((authority) => authority.pin)).size).toBe(1);
    expect(statSync(join(folder, 'ca/ca.key')).mode & 0o777).toBe(0o600);
    expect((await CertificateAuthority.open(join(folder, 'ca'))).pin).toBe(opened[0]?.pin);
  });

  it('refuses a key and a certificate of two CAs', async () => {
    await CertificateAuthority.open(join(folder, 'a'));
    await CertificateAuthority.open(join(folder, 'b'));
    copyFileSync(join(folder, 'b/ca.key'), join(folder, 'a/ca.key'));
    await expect(CertificateAuthority.open(join(folder, 'a'))).rejects.toThrow('do not belong together');
  });

  it('issues host certificates for TLS clients only, backdated five minutes', async () => {
    const now = new Date('2026-11-22T12:00:00Z');
    const authority = await CertificateAuthority.open(join(folder, 'ca'), undefined, () => now);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issued = await authority.issueHostCertificate(HOST, spkiOf(privateKey), {
      lifeMs: 24 * 3_600_000,
      counter: 7,
    });
    const certificate = new X509Certificate(issued.der);
    expect(certificate.subject).toBe(`CN=${HOST}`);
    expect(certificate.subjectAltName).toBe(`URI:${hostUri(HOST)}`);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.ca).toBe(false);
    expect(new Date(certificate.validFrom)).toEqual(new Date('2026-11-22T11:55:00Z'));
    expect(new Date(certificate.validTo)).toEqual(new Date('2026-11-23T12:00:00Z'));
    expect(counterOf(serialOf(certificate))).toBe(7);
    expect(serialOf(certificate)).toBe(issued.serial);
    expect(authority.issued(certificate)).toBe(true);
    expect((await CertificateAuthority.open(join(folder, 'other'))).issued(certificate)).toBe(false);
  });

  it('names the server by its fixed name and by what the operator adds', async () => {
    const authority = await CertificateAuthority.open(join(folder, 'ca'));
    const identity = await authority.issueServerIdentity(['fleet.example.org', '10.0.2.2']);
    const certificate = new X509Certificate(identity.certificatePem);
    expect(certificate.checkHost('modfleet-server')).toBe('modfleet-server');
    expect(certificate.checkHost('fleet.example.org')).toBe('fleet.example.org');
    expect(certificate.checkIP('10.0.2.2')).toBe('10.0.2.2');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  });

  it('accepts only requests of a P-256 key that signed them', async () => {
    const good = await request('P-256');
    const verified = await verifyCsr(good.der);
    expect(verified.keyFingerprint).toEqual(keyFingerprint(good.spki));
    await expect(verifyCsr((await request('P-384')).der)).rejects.toThrow('P-256');
    await expect(verifyCsr(Buffer.from('nonsense'))).rejects.toThrow('PKCS #10');
    const forged = Buffer.from(good.der);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    await expect(verifyCsr(forged)).rejects.toThrow('own key');
  });
});

async function request(namedCurve: string): Promise<{ der: Buffer; spki: Buffer }> {
  const keys = (await webcrypto.subtle.generateKey({ ...P256, namedCurve }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=new host',
    keys: keys as never,
    signingAlgorithm: P256,
  });
  return { der: Buffer.from(csr.rawData), spki: Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey)) };
}
