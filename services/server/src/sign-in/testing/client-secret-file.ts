import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_SECRET } from './identity-provider.ts';

/** A file with the client's secret, as MODFLEET_OIDC_CLIENT_SECRET_FILE names it. */
export function clientSecretFile(): string {
  const path = join(mkdtempSync(join(tmpdir(), 'modfleet-oidc-test-')), 'client-secret');
  writeFileSync(path, `${CLIENT_SECRET}\n`, { mode: 0o600 });
  return path;
}
