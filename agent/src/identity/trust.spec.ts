import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { trustBundleBytes } from '@modfleet/proto';
import type { TrustBundle } from '@modfleet/proto';
import { TestAuthority } from '../testing/test-authority.ts';
import { readBundle, trustFields, trustOf, trustStateOf, type TrustedCas } from './trust.ts';

/** The fleet's CA, the one after it, the one after that, and somebody else's, all of one name. */
let first: TestAuthority;
let second: TestAuthority;
let third: TestAuthority;
let evil: TestAuthority;

beforeAll(async () => {
  [first, second, third, evil] = (await Promise.all([1, 2, 3, 4].map(() => TestAuthority.create()))) as [
    TestAuthority,
    TestAuthority,
    TestAuthority,
    TestAuthority,
  ];
});

const known = (generation: number, ...cas: TestAuthority[]): TrustedCas => ({
  generation,
  cas: cas.map((ca) => new X509Certificate(ca.der)),
});
function bundle(
  generation: number,
  cas: readonly TestAuthority[],
  vouching: readonly Buffer[] = [],
  signer: TestAuthority | undefined = cas[0],
): TrustBundle {
  const caCertificates = cas.map((ca) => ca.der);
  const signature = signer?.sign(trustBundleBytes(generation, caCertificates)) ?? Buffer.alloc(64);
  return { generation, caCertificates, vouchingCertificates: [...vouching], signature, spreadMs: 0 };
}
const names = ({ cas }: TrustedCas): string[] => cas.map((ca) => ca.fingerprint256);
function taken(trust: TrustedCas, offered: TrustBundle): TrustedCas {
  const reading = readBundle(trust, offered);
  if (reading.kind !== 'taken') throw new Error(JSON.stringify(reading));
  return reading.trust;
}
const reasonOf = (trust: TrustedCas, offered: TrustBundle): string => {
  const reading = readBundle(trust, offered);
  return reading.kind === 'refused' ? reading.reason : reading.kind;
};

describe('a bundle of CAs', () => {
  it('is taken when a trusted CA has signed it: another CA comes, and the old one goes', () => {
    const both = taken(known(1, first), bundle(2, [first, second]));
    expect(names(both)).toEqual(names(known(2, first, second)));
    const turned = taken(both, bundle(3, [second, first]));
    expect(names(turned)).toEqual(names(known(3, second, first)));
    expect(names(taken(turned, bundle(4, [second])))).toEqual(names(known(4, second)));
    expect(readBundle(known(4, second), bundle(4, [second]))).toEqual({ kind: 'same' });
  });

  it('is taken from a CA for which a trusted one vouches, also over one that the host never knew', async () => {
    const secondByFirst = await first.vouchFor(second);
    const thirdBySecond = await second.vouchFor(third);
    expect(names(taken(known(1, first), bundle(9, [second], [secondByFirst])))).toEqual(names(known(9, second)));
    expect(names(taken(known(1, first), bundle(9, [third], [thirdBySecond, secondByFirst])))).toEqual(
      names(known(9, third)),
    );
    expect(reasonOf(known(1, first), bundle(9, [third], [thirdBySecond]))).toContain('no CA that this host trusts');
  });

  it('is refused from everybody else: no session, and no name, proves a CA', async () => {
    const stranger = 'no CA that this host trusts';
    expect(reasonOf(known(1, first), bundle(2, [evil]))).toContain(stranger);
    expect(reasonOf(known(1, first), bundle(2, [evil, first]))).toContain(stranger);
    expect(reasonOf(known(1, first), bundle(2, [first, evil], [], evil))).toContain('has not signed it');
    // What vouches for the one proves nothing of the other.
    expect(reasonOf(known(1, first), bundle(2, [evil], [await first.vouchFor(second)]))).toContain(stranger);
    expect(reasonOf(known(1, first), bundle(2, [evil], [await evil.vouchFor(evil)]))).toContain(stranger);
    // A server's or a host's certificate is no CA, whoever made it.
    const { certificatePem } = await first.server();
    const leaf = new X509Certificate(certificatePem).raw;
    expect(reasonOf(known(1, first), { ...bundle(2, [first]), caCertificates: [leaf] })).toContain('no CA of a kind');
    expect(reasonOf(known(1, first), bundle(2, [evil], [leaf]))).toContain(stranger);
  });

  it('is refused when it was changed on the way, is empty, damaged or too large', () => {
    const good = bundle(2, [first, second]);
    expect(reasonOf(known(1, first), { ...good, generation: 3 })).toContain('has not signed it');
    expect(reasonOf(known(1, first), { ...good, caCertificates: [first.der] })).toContain('has not signed it');
    expect(reasonOf(known(1, first), { ...good, caCertificates: [first.der, evil.der] })).toContain(
      'has not signed it',
    );
    expect(reasonOf(known(1, first), bundle(2, []))).toContain('or none');
    expect(reasonOf(known(1, first), { ...good, caCertificates: [first.der, Buffer.from('no')] })).toContain(
      'cannot be read',
    );
    expect(reasonOf(known(1, first), bundle(2, [first, second, third, evil, first]))).toContain('too many');
  });

  it('is refused when it is older, or another one with the same number: a recording brings no CA back', () => {
    expect(reasonOf(known(5, first, second), bundle(4, [first]))).toContain('older (4)');
    expect(reasonOf(known(5, second), bundle(5, [second, first]))).toContain('same number');
    expect(reasonOf(known(5, second), bundle(6, [first, second]))).toContain('no CA that this host trusts');
  });

  it('is kept as text, and told with the CA of the certificate', async () => {
    const trust = known(7, second, first);
    const kept = trustOf(trustFields(trust));
    expect([kept.generation, ...names(kept)]).toEqual([7, ...names(trust)]);
    const spki = new X509Certificate(evil.der).publicKey.export({ type: 'spki', format: 'der' });
    const pem = new X509Certificate(await first.host('h', spki)).toString();
    expect(trustStateOf(trust, pem)).toEqual({
      generation: 7,
      caFingerprints: [second.fingerprint, first.fingerprint],
      certificateCa: first.fingerprint,
    });
    expect(trustStateOf(known(7, third), pem).certificateCa).toHaveLength(0);
  });
});
