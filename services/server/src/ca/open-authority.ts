import { join } from 'node:path';
import type { ServerConfig } from '../config/server-config.ts';
import type { CaStoreOptions } from './ca-store.ts';
import { CertificateAuthority } from './certificate-authority.ts';

type CaSettings = Pick<ServerConfig, 'stateDir' | 'keyPassphrase' | 'givenCa'>;

export function caStoreOptions({ stateDir, keyPassphrase, givenCa }: CaSettings): CaStoreOptions {
  return { folder: join(stateDir, 'ca'), passphrase: keyPassphrase, given: givenCa ?? undefined };
}

/** The CAs that the settings name. @throws CaStoreError, KeyFileError */
export function openAuthority(config: CaSettings): Promise<CertificateAuthority> {
  const { folder, passphrase, given } = caStoreOptions(config);
  return CertificateAuthority.open(folder, passphrase, () => new Date(), given);
}
