import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { ConfigError, type ServerConfig } from '../config/server-config.ts';
import type { HttpIdentity } from './fastify-app.ts';

/**
 * Key and certificate of the API's listener, or null where it speaks plain HTTP (loopback, or behind a trusted proxy).
 *
 * @throws ConfigError naming the file that cannot be read.
 */
export async function httpIdentity(config: ServerConfig): Promise<HttpIdentity | null> {
  if (config.httpTls === null) return null;
  if (config.httpTls.kind === 'own-ca') {
    const authority = await CertificateAuthority.open(join(config.stateDir, 'ca'), config.keyPassphrase);
    const identity = await authority.issueServerIdentity(config.serverNames);
    return { cert: identity.certificatePem, key: identity.keyPem };
  }
  const read = (variable: string, path: string): Promise<Buffer> =>
    readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw new ConfigError([`${variable}: ${path} cannot be read (${error.code ?? 'error'})`]);
    });
  const { certFile, keyFile } = config.httpTls;
  return {
    cert: await read('MODFLEET_HTTP_TLS_CERT_FILE', certFile),
    key: await read('MODFLEET_HTTP_TLS_KEY_FILE', keyFile),
  };
}
