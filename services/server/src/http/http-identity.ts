import { readFile } from 'node:fs/promises';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { openAuthority } from '../ca/open-authority.ts';
import { ConfigError, type ServerConfig } from '../config/server-config.ts';
import type { HttpIdentity } from './fastify-app.ts';

/** Key and certificate of the API's listener by the CA that issues now. */
export async function ownCaIdentity(
  authority: CertificateAuthority,
  { serverNames }: Pick<ServerConfig, 'serverNames'>,
): Promise<HttpIdentity> {
  const { certificatePem, keyPem } = await authority.issueServerIdentity(serverNames);
  return { cert: certificatePem, key: keyPem };
}

/**
 * Key and certificate of the API's listener, or null where it speaks plain HTTP (loopback, or behind a trusted proxy).
 *
 * @throws ConfigError naming the file that cannot be read.
 */
export async function httpIdentity(config: ServerConfig): Promise<HttpIdentity | null> {
  if (config.httpTls === null) return null;
  if (config.httpTls.kind === 'own-ca') {
    return ownCaIdentity(await openAuthority(config), config);
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
