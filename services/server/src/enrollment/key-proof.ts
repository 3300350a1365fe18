import { createPublicKey, verify, X509Certificate } from 'node:crypto';

/** The caller has not proven to hold the key of the certificate. */
export class ProofRefusedError extends Error {
  readonly code = 'proof_refused';
}

/** The nonce is none of ours, used, or too old. @throws always */
export function refuseNonce(): never {
  throw new ProofRefusedError('The nonce is unknown, used or older than 60 s: ask for another.');
}

/**
 * The certificate (DER), whose key has made the signature (ECDSA P-256 SHA-256, IEEE P1363) over `signed`. Neither its issuer nor its dates are looked at.
 *
 * @throws ProofRefusedError
 */
export function provenCertificate(der: Uint8Array, signed: Uint8Array, signature: Uint8Array): X509Certificate {
  let certificate: X509Certificate;
  let genuine: boolean;
  try {
    certificate = new X509Certificate(der);
    const key = createPublicKey({ key: certificate.publicKey.export({ type: 'spki', format: 'pem' }), format: 'pem' });
    genuine = verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch (error) {
    throw new ProofRefusedError('The certificate cannot be read.', { cause: error });
  }
  if (!genuine) throw new ProofRefusedError("The signature is not by the certificate's key.");
  return certificate;
}
