import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

/** Reads the host's private key from `stdin`, and writes a certificate request for it to `stdout`. @throws Error when that is no such key */
export async function makeCertificateRequestCommand(io: {
  readonly stdin: Readable;
  readonly stdout: Writable;
}): Promise<void> {
  // Loaded here only: the other commands do without.
  const { makeCertificateRequest } = await import('../identity/certificate-request.ts');
  const request = await makeCertificateRequest(await text(io.stdin));
  await new Promise<void>((resolve, reject) =>
    io.stdout.write(request, (error) => (error ? reject(error) : resolve())),
  );
}
