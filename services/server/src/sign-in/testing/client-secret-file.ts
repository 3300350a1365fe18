import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { CLIENT_SECRET } from './identity-provider.ts';

/** For the top of a test file: a file with the client's secret, as MODFLEET_OIDC_CLIENT_SECRET_FILE names it; removed after the file's last test. */
export function clientSecretFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-oidc-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'client-secret');
  writeFileSync(path, `${CLIENT_SECRET}\n`, { mode: 0o600 });
  return path;
}
