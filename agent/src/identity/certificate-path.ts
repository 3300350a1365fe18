import type { X509Certificate } from 'node:crypto';

/** Certificates between the server's own and a CA that this host trusts: CAs that it slept through, each vouched for by the one before. */
const MAX_BETWEEN = 5;

/**
 * The way from a certificate to a CA that is trusted: [the certificate, …, the trusted CA's own certificate], each signed by the next. Undefined: there is
 * none. `pool` is whatever the peer showed, in any order; it proves nothing by itself. Dates are not looked at.
 */
export function findPath(
  certificate: X509Certificate,
  pool: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
): X509Certificate[] | undefined {
  return search(certificate, pool, trusted, MAX_BETWEEN);
}

function search(
  certificate: X509Certificate,
  pool: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  left: number,
): X509Certificate[] | undefined {
  const anchor = trusted.find((ca) => isIssuedBy(certificate, ca));
  if (anchor !== undefined) return [certificate, anchor];
  if (left === 0) return undefined;
  for (const next of pool) {
    if (next.fingerprint256 === certificate.fingerprint256 || !isIssuedBy(certificate, next)) continue;
    const rest = search(
      next,
      pool.filter((other) => other !== next),
      trusted,
      left - 1,
    );
    if (rest !== undefined) return [certificate, ...rest];
  }
  return undefined;
}

/** `ca` means CA:TRUE with the right to sign certificates; names, key ids and the signature have to fit. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
