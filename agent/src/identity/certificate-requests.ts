import { createPublicKey } from 'node:crypto';
import { messageOf } from '../error-words.ts';
import { runSelf } from '../exec/self-exec.ts';

/** Makes a PKCS #10 certificate request (DER) for a private key (PKCS #8, PEM). @throws CertificateRequestError */
export type MakeRequest = (keyPem: string) => Promise<Uint8Array>;

/** The hidden subcommand that makes a certificate request: the key on stdin, the request on stdout. */
export const CERTIFICATE_REQUEST_COMMAND = 'make-certificate-request';

/** A moment on a real machine; an emulated one under load takes half a minute to start Node.js. */
const TIMEOUT_MS = 120_000;

/** A request is some 250 bytes. */
const MAX_BYTES = 4096;

/** How a certificate request can still be had where the agent's own process for it does not work. */
const BY_HAND =
  'if this stays, install the agent again, or run "modfleet-agent join", which needs no process of its own for it';

/** No certificate request was made. Another try may do. */
export class CertificateRequestError extends Error {
  readonly code = 'certificate_request';
  constructor(reason: string, wayOut: string, options?: ErrorOptions) {
    super(`no certificate request for this host's key: ${reason}; ${wayOut}`, options);
    this.name = 'CertificateRequestError';
  }
}

/**
 * Makes requests in a short-lived process of the agent itself: what the library of certificates takes goes with it, and a joined agent never held it
 * (docs/adr/0023). The request of a key is kept, as a host whose server is away tries every few seconds.
 */
export function requestsInChild(run: typeof runSelf = runSelf): MakeRequest {
  let kept: { readonly keyPem: string; readonly request: Uint8Array } | undefined;
  return async (keyPem) => {
    if (kept?.keyPem !== keyPem) kept = { keyPem, request: await askChild(run, keyPem) };
    return kept.request;
  };
}

async function askChild(run: typeof runSelf, keyPem: string): Promise<Uint8Array> {
  const publicKey = publicKeyOf(keyPem);
  const said = await run([CERTIFICATE_REQUEST_COMMAND], {
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
    input: keyPem,
  }).catch((cause: unknown) => {
    throw new CertificateRequestError(`the process that makes it failed: ${messageOf(cause)}`, BY_HAND, { cause });
  });
  if (isRequestFor(publicKey, Buffer.from(said))) return said;
  const what = `the process that makes it wrote ${said.length} bytes that are none`;
  throw new CertificateRequestError(what, BY_HAND);
}

function publicKeyOf(keyPem: string): Buffer {
  try {
    return createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  } catch (cause) {
    const wayOut = 'restore host-key.pem in state_dir, or remove it: the agent then makes a new one';
    throw new CertificateRequestError(`that is damaged (${messageOf(cause)})`, wayOut, { cause });
  }
}

/** One whole DER sequence that holds the public key. The server would refuse anything else for good, and the agent would not try again. */
function isRequestFor(publicKey: Buffer, der: Buffer): boolean {
  // A sequence (0x30) whose length follows in one byte (0x81) or two (0x82).
  const lengthBytes = [0x81, 0x82].indexOf(der[1] ?? 0) + 1;
  if (der[0] !== 0x30 || lengthBytes === 0 || der.length < 2 + lengthBytes) return false;
  return der.length === 2 + lengthBytes + der.readUIntBE(2, lengthBytes) && der.includes(publicKey);
}
