import { verify, X509Certificate } from 'node:crypto';
import type { ActionRequest } from '../gen/modfleet/types/v1/action.ts';
import { COMMAND_KEY_USAGE, commandBytes, commandCertificateName, SIGNATURE_BYTES } from './command-signature.ts';

/** Why a signature is not believed. */
export interface SignatureComplaint {
  readonly code: 'unsigned' | 'signature_invalid';
  readonly message: string;
}

/** A certificate of ours has some 400 bytes. */
const MAX_CERTIFICATE_BYTES = 4_096;

/**
 * Whether a key that one of these CAs has certified for commands of this epoch has signed this very request. Pure. No clock is asked: the
 * certificate has to cover the whole of the request's time, from not-before to expiry, and a host holds the request's time against the server's before
 * each first step. Undefined: it has.
 */
export function complaintAboutSignature(
  request: ActionRequest,
  authorities: readonly X509Certificate[],
): SignatureComplaint | undefined {
  const { signature, commandCertificate, epoch, sequence } = request;
  if (signature.length === 0 && commandCertificate.length === 0 && epoch === 0) {
    const message =
      'the server did not sign this command, and this host takes signed commands only: upgrade the server first, then ask again';
    return { code: 'unsigned', message };
  }
  const why =
    signature.length !== SIGNATURE_BYTES
      ? `its signature has ${signature.length} bytes, not ${SIGNATURE_BYTES}`
      : epoch < 1 || sequence < 1
        ? 'it has no epoch or no number'
        : complaintAboutCertificate(request, authorities);
  return why === undefined ? undefined : { code: 'signature_invalid', message: `this command is not believed: ${why}` };
}

function complaintAboutCertificate(
  request: ActionRequest,
  authorities: readonly X509Certificate[],
): string | undefined {
  const certificate = read(request.commandCertificate);
  if (certificate === undefined) return 'its certificate is none';
  if (authorities.length === 0)
    return 'no certificate authority is known here; run "modfleet-agent join --replace" as root';
  const authority = authorities.find(
    (one) => one.ca && certificate.checkIssued(one) && certificate.verify(one.publicKey),
  );
  if (authority === undefined) return "its certificate was not made by the certificate authority of this host's server";
  const usage = (certificate.keyUsage as readonly string[] | undefined) ?? [];
  if (certificate.ca || usage.length !== 1 || usage[0] !== COMMAND_KEY_USAGE)
    return 'its certificate was not made for commands';
  if (certificate.subject !== `CN=${commandCertificateName(request.epoch)}`)
    return `its certificate is for ${JSON.stringify(certificate.subject)}, and it says epoch ${request.epoch}`;
  const key = certificate.publicKey;
  if (key.asymmetricKeyType !== 'ed25519') return 'the key of its certificate is not Ed25519';
  const until = Math.min(Date.parse(certificate.validTo), Date.parse(authority.validTo));
  if (!(request.notBeforeMs >= Date.parse(certificate.validFrom) && request.expiresAtMs <= until))
    return 'its certificate is not valid for the whole time of the command';
  if (!verify(null, commandBytes(request), key, request.signature))
    return 'its signature is not of what it says; it was changed after the server signed it, or signed by another key';
  return undefined;
}

/**
 * Whether the key of the certificate that a command carries has signed it. Says nothing of who made that certificate: it tells that a command which was
 * believed once, under a CA that may be gone by now, is the same still.
 */
export function isAsSigned(request: ActionRequest): boolean {
  const key = read(request.commandCertificate)?.publicKey;
  return key?.asymmetricKeyType === 'ed25519' && verify(null, commandBytes(request), key, request.signature);
}

function read(der: Uint8Array): X509Certificate | undefined {
  if (der.length === 0 || der.length > MAX_CERTIFICATE_BYTES) return undefined;
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}
