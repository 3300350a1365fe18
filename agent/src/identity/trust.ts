/**
 * Which CAs this host trusts, and how that changes.
 *
 * INVARIANTS
 * - A CA becomes trusted in one way only: a bundle signed by the key of a CA that is trusted already, or of one for which such a CA vouches by a
 *   certificate. That a bundle came over a session proves nothing: who stole the key of a server's certificate, and no CA's, can plant no CA.
 * - A bundle that is older than the one taken last is refused: a CA that was dropped does not come back by a recording.
 * - The signer itself is in the bundle, first: a host never trusts a set in which nothing can be proven to it any more.
 * - What this file decides is believed only after it is on the disk, together with the identity.
 */
import { X509Certificate, verify } from 'node:crypto';
import { TRUSTED_CAS_MAX, TrustBundle, VOUCHING_MAX, certificateFingerprint, trustBundleBytes } from '@modfleet/proto';
import type { TrustState } from '@modfleet/proto';
import { findPath } from './certificate-path.ts';

/** The CAs that a host trusts. */
export interface TrustedCas {
  /** Of the bundle that was taken last; 0 before the first. */
  readonly generation: number;
  /** The one that issues first. */
  readonly cas: readonly X509Certificate[];
}

export type BundleReading =
  | { readonly kind: 'taken'; readonly trust: TrustedCas }
  | { readonly kind: 'same' }
  | { readonly kind: 'refused'; readonly reason: string };

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** The certificates in a PEM text. */
export function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
}

/** What an identity trusts. `caPem`: one or more certificates. */
export function trustOf({
  caPem,
  trustGeneration,
}: {
  readonly caPem: string;
  readonly trustGeneration: number;
}): TrustedCas {
  return { generation: trustGeneration, cas: certificatesIn(caPem) };
}

/** How an identity keeps it. */
export function trustFields({ generation, cas }: TrustedCas): {
  readonly caPem: string;
  readonly trustGeneration: number;
} {
  return { caPem: cas.map((ca) => ca.toString()).join(''), trustGeneration: generation };
}

/** A bundle as an identity keeps it, for the helper. */
export function bundleField(bundle: TrustBundle): { readonly trustBundle: string } {
  return { trustBundle: Buffer.from(TrustBundle.encode(bundle).finish()).toString('base64') };
}

/** The bundle that an identity keeps; undefined where it keeps none that can be read. */
export function bundleOf({ trustBundle }: { readonly trustBundle?: string | undefined }): TrustBundle | undefined {
  if (trustBundle === undefined) return undefined;
  try {
    return TrustBundle.decode(Buffer.from(trustBundle, 'base64'));
  } catch {
    return undefined;
  }
}

/** What the server is told. `certificatePem`: the host's own. */
export function trustStateOf({ generation, cas }: TrustedCas, certificatePem: string): TrustState {
  const [issuer] = findPath(new X509Certificate(certificatePem), [], cas)?.slice(1) ?? [];
  return {
    generation,
    caFingerprints: cas.map((ca) => certificateFingerprint(ca.raw)),
    certificateCa: issuer === undefined ? Buffer.alloc(0) : certificateFingerprint(issuer.raw),
  };
}

/** Decides about a bundle that somebody gives. */
export function readBundle(trust: TrustedCas, bundle: TrustBundle): BundleReading {
  const { generation } = bundle;
  const cas = certificatesOf(bundle.caCertificates);
  const vouching = certificatesOf(bundle.vouchingCertificates);
  const [issuing] = cas;
  if (cas.length > TRUSTED_CAS_MAX || vouching.length > VOUCHING_MAX) return refused('it names too many CAs');
  if (
    issuing === undefined ||
    cas.length !== bundle.caCertificates.length ||
    vouching.length !== bundle.vouchingCertificates.length
  )
    return refused('it names a CA that cannot be read, or none');
  if (!cas.every(isRoot)) return refused('it names a certificate that is no CA of a kind that hosts take');
  const signed = trustBundleBytes(generation, bundle.caCertificates);
  if (!verify('sha256', signed, { key: issuing.publicKey, dsaEncoding: 'ieee-p1363' }, bundle.signature))
    return refused('its CA has not signed it');
  if (!isKnown(issuing, vouching, trust.cas))
    return refused('no CA that this host trusts has signed it, or vouches for the one that has');
  if (generation < trust.generation)
    return refused(`it is older (${generation}) than the one that this host has (${trust.generation})`);
  if (generation > trust.generation) return { kind: 'taken', trust: { generation, cas } };
  return sameCas(cas, trust.cas) ? { kind: 'same' } : refused(`it is another one with the same number (${generation})`);
}

function refused(reason: string): BundleReading {
  return { kind: 'refused', reason };
}

/** Those that can be read. */
function certificatesOf(ders: readonly Uint8Array[]): X509Certificate[] {
  return ders.flatMap((der) => {
    try {
      return [new X509Certificate(der)];
    } catch {
      return [];
    }
  });
}

/** Self-signed, for signing certificates, ECDSA on P-256. */
function isRoot(ca: X509Certificate): boolean {
  return (
    ca.ca &&
    ca.publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1' &&
    ca.checkIssued(ca) &&
    ca.verify(ca.publicKey)
  );
}

/** Trusted itself; or a certificate for its key and name leads to one that is. */
function isKnown(
  ca: X509Certificate,
  vouching: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): boolean {
  if (trusted.some((known) => known.fingerprint256 === ca.fingerprint256)) return true;
  return vouching
    .filter(
      (certificate) =>
        certificate.ca && certificate.subject === ca.subject && certificate.publicKey.equals(ca.publicKey),
    )
    .some((certificate) => findPath(certificate, vouching, trusted) !== undefined);
}

function sameCas(one: readonly X509Certificate[], other: readonly X509Certificate[]): boolean {
  const names = (cas: readonly X509Certificate[]): string =>
    cas
      .map((ca) => ca.fingerprint256)
      .sort()
      .join();
  return names(one) === names(other);
}
