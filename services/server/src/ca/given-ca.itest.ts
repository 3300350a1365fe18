import { createPrivateKey, generateKeyPairSync, type KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pemOf } from './ca-certificate.ts';
import { expiryOf } from './ca-expiry.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import type { GivenCa } from './given-ca.ts';
import { certificatePem, issue, P256, spkiOf, x509 } from './x509.ts';

const DAY_MS = 86_400_000;
const { keyCertSign, digitalSignature } = x509.KeyUsageFlags;

interface Made {
  readonly key: KeyObject;
  readonly certificate: Buffer;
}

interface Wish {
  readonly name?: string;
  readonly curve?: string;
  readonly ca?: boolean;
  readonly usage?: number;
  readonly fromDays?: number;
  readonly lifeDays?: number;
  readonly by?: Made;
}

describe('a CA of the operator', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-given-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function make(wish: Wish = {}): Promise<Made> {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: wish.curve ?? 'P-256' });
    const name = wish.name ?? 'CN=Example Root, O=Example';
    const extensions = [
      new x509.BasicConstraintsExtension(wish.ca ?? true, undefined, true),
      new x509.KeyUsagesExtension(wish.usage ?? keyCertSign | digitalSignature, true),
    ];
    const now = new Date(Date.now() + (wish.fromDays ?? 0) * DAY_MS);
    const terms = { subject: name, lifeMs: (wish.lifeDays ?? 3650) * DAY_MS, now, extensions };
    const issuer = wish.by === undefined ? { name, key } : { name: 'CN=Above', key: wish.by.key };
    const { der } = await issue(terms, spkiOf(key), { ...issuer, spki: spkiOf(issuer.key) });
    return { key, certificate: der };
  }
  function files(certificates: readonly Buffer[], key: KeyObject, passphrase?: string): GivenCa {
    const [certFile, keyFile, passphraseFile] = ['root.crt', 'root.key', 'root.pass'].map((name) => join(folder, name));
    const plain = { type: 'pkcs8', format: 'pem' } as const;
    writeFileSync(certFile ?? '', pemOf(certificates));
    writeFileSync(
      keyFile ?? '',
      key.export(passphrase === undefined ? plain : { ...plain, cipher: 'aes-256-cbc', passphrase }),
    );
    if (passphrase !== undefined) writeFileSync(passphraseFile ?? '', `${passphrase}\n`);
    return {
      certFile: certFile ?? '',
      keyFile: keyFile ?? '',
      passphraseFile: passphrase === undefined ? null : (passphraseFile ?? ''),
    };
  }
  const open = (given?: GivenCa): Promise<CertificateAuthority> =>
    CertificateAuthority.open(join(folder, 'ca'), undefined, undefined, given);
  const trouble = (given: GivenCa): Promise<string> =>
    open(given).then(
      () => 'none',
      (error: Error) => error.message,
    );

  it('is used instead of one of the server’s own, and its key stays where it is', async () => {
    const { key, certificate } = await make();
    const given = files([certificate], key, 'of the operator');
    const authority = await open(given);
    expect(authority.certificate).toEqual(certificate);
    expect(readdirSync(join(folder, 'ca')).toSorted()).toEqual(['ca.crt', 'set.json']);
    const issued = await authority.issueServerIdentity([]);
    const [leaf, root] = (
      issued.certificatePem.toString().match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g) ?? []
    ).map((pem) => new X509Certificate(pem));
    expect(leaf?.checkIssued(root ?? leaf)).toBe(true);
    // Without the settings: the set knows where it is.
    expect((await open()).pin).toBe(authority.pin);
    expect(statSync(given.keyFile).mtimeMs).toBeLessThanOrEqual(Date.now());
    expect(() => createPrivateKey({ key: key.export({ type: 'pkcs8', format: 'pem' }), format: 'pem' })).not.toThrow();
  });

  it('says of everything that is wrong with it which file it is and what to do', async () => {
    const good = await make();
    const other = await make();
    const above = await make({ name: 'CN=Above' });
    const cases: [GivenCa | Promise<GivenCa>, RegExp][] = [
      [
        files([good.certificate], other.key),
        /root\.key is not the key of the certificate in .*root\.crt: name the key/,
      ],
    ];
    for (const [given, words] of cases) expect(await trouble(await given)).toMatch(words);
    const wrong = async (wish: Wish, words: RegExp): Promise<void> => {
      const made = await make(wish);
      expect(await trouble(files([made.certificate], made.key))).toMatch(words);
    };
    await wrong(
      { lifeDays: 1, fromDays: -3 },
      /root\.crt: this CA ended on \d{4}-.*make a certificate that is valid now/,
    );
    await wrong({ fromDays: 3 }, /root\.crt: this CA begins on \d{4}-.* only/);
    await wrong({ ca: false }, /root\.crt: .* is not a CA's .*name the CA's certificate/);
    await wrong({ usage: digitalSignature }, /root\.crt: this CA may not sign certificates.*keyCertSign/);
    await wrong({ by: above }, /root\.crt: this CA is not self-signed \(CN=Above made it\).*root/);
    expect(await trouble(files([good.certificate, above.certificate], good.key))).toMatch(
      /root\.crt holds 2 certificates: leave the CA's own alone/,
    );
    expect(await trouble({ ...files([good.certificate], good.key, 'secret'), passphraseFile: null })).toMatch(
      /root\.key is encrypted.*MODFLEET_CA_KEY_PASSPHRASE_FILE/,
    );
    const locked = files([good.certificate], good.key, 'secret');
    writeFileSync(locked.passphraseFile ?? '', 'wrong');
    expect(await trouble(locked)).toMatch(/root\.key does not open with the passphrase in .*root\.pass/);
    const given = files([good.certificate], good.key);
    writeFileSync(given.keyFile, 'rubbish');
    expect(await trouble(given)).toMatch(/root\.key holds no private key/);
    writeFileSync(given.certFile, 'rubbish');
    expect(await trouble(given)).toMatch(/root\.crt holds no certificate in PEM/);
    writeFileSync(given.certFile, certificatePem(Buffer.from('rubbish')));
    expect(await trouble(given)).toMatch(/root\.crt: the certificate in it is damaged/);
    expect(await trouble({ ...given, certFile: join(folder, 'nowhere.crt') })).toMatch(
      /nowhere\.crt cannot be read \(ENOENT\)/,
    );
    expect(readdirSync(join(folder, 'ca'))).toEqual([]);
  });

  it('refuses a key on another curve', async () => {
    const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const signer = await crypto.subtle.importKey(
      'pkcs8',
      new Uint8Array(key.export({ type: 'pkcs8', format: 'der' })),
      { name: 'ECDSA', namedCurve: 'P-384' },
      true,
      ['sign'],
    );
    const certificate = await x509.X509CertificateGenerator.create({
      subject: 'CN=Example Root',
      issuer: 'CN=Example Root',
      publicKey: new x509.PublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))),
      signingKey: signer as never,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-384' },
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(keyCertSign, true),
      ],
    });
    expect(await trouble(files([Buffer.from(certificate.rawData)], key))).toMatch(
      /root\.crt: the key of this CA is secp384r1, and hosts take ECDSA on P-256 only/,
    );
  });

  it('may name its key by an id of its own: what it issues names the same', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = await x509.X509CertificateGenerator.create({
      subject: 'CN=Example Root',
      issuer: 'CN=Example Root',
      publicKey: new x509.PublicKey(new Uint8Array(spkiOf(key))),
      signingKey: (await webcrypto.subtle.importKey(
        'pkcs8',
        new Uint8Array(key.export({ type: 'pkcs8', format: 'der' })),
        P256,
        true,
        ['sign'],
      )) as never,
      signingAlgorithm: P256,
      notAfter: new Date(Date.now() + 3650 * DAY_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(keyCertSign, true),
        new x509.SubjectKeyIdentifierExtension('0123456789abcdef'),
      ],
    });
    const authority = await open(files([Buffer.from(certificate.rawData)], key));
    const { certificatePem: chain } = await authority.issueServerIdentity([]);
    const leaf = new X509Certificate(chain);
    expect(leaf.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
    expect(
      new x509.X509Certificate(new Uint8Array(leaf.raw)).getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId,
    ).toBe('0123456789abcdef');
  });

  it('never takes the place of the CA that hosts trust without a rotation', async () => {
    const own = await open();
    const { key, certificate } = await make();
    const given = files([certificate], key);
    expect(await trouble(given)).toMatch(
      /root\.crt \(MODFLEET_CA_CERT_FILE\) holds another CA .*rotate begin --cert-file/,
    );
    expect((await open()).pin).toBe(own.pin);
    rmSync(join(folder, 'ca'), { recursive: true });
    await open(given);
    const replaced = await make();
    files([replaced.certificate], replaced.key);
    expect(await trouble(given)).toContain('rotate begin');
    await expect(open()).rejects.toThrow(/root\.crt holds another CA than the one that this server's hosts trust/);
  });

  it('has its end told well before', async () => {
    const at = (days: number) => {
      const ca = { id: 'ab'.repeat(32), notAfter: new Date(Date.parse('2030-01-01T00:00:00Z') + days * DAY_MS) };
      return expiryOf([ca], new Date('2030-01-01T00:00:00Z'));
    };
    expect(at(181)).toEqual({ level: 'ok', words: 'CA abababababababab is good until 2030-07-01' });
    expect(at(179)).toMatchObject({ level: 'warn', words: expect.stringContaining('in 179 days: rotate it') });
    expect(at(29)).toMatchObject({ level: 'error', words: expect.stringContaining('in 29 days') });
    expect(at(-1)).toMatchObject({ level: 'error', words: expect.stringContaining('ended on') });
    const { key, certificate } = await make({ lifeDays: 20 });
    const authority = await open(files([certificate], key));
    expect(expiryOf(authority.trusted, new Date()).level).toBe('error');
    // What it issues never outlives it.
    const identity = await authority.issueServerIdentity([]);
    expect(identity.notAfter.getTime()).toBeLessThanOrEqual(new X509Certificate(certificate).validToDate.getTime());
  });
});
