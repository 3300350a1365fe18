import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../scripts/lib/embedded-postgres.mjs';
import { prepareForServer } from '../../../scripts/lib/server-role.ts';
import { TestFleet } from '../support/fleet.ts';

/** The server on an embedded PostgreSQL, as `npm start` sets it up. */
let fleet: TestFleet;
beforeAll(async () => {
  fleet = await TestFleet.start();
});
afterAll(() => fleet.stop());

it('logs in as a role that can only append to the audit log, and never hears of the superuser', async () => {
  expect((await fleet.modfleet('freeze', '--reason', 'to see a row')).code).toBe(0);
  const verified = await fleet.modfleet('audit', 'verify', '--json', 'intact,appendOnly');
  expect(JSON.parse(verified.stdout)).toEqual({
    intact: true,
    appendOnly: { enforced: true, why: "the server's role modfleet may only read and append" },
  });
  const password = readFileSync(join(fleet.folder, 'postgres', 'password'), 'utf8').trim();
  const environment = readFileSync(`/proc/${fleet.serverPid}/environ`, 'utf8');
  expect(environment).toContain('postgresql://modfleet:');
  expect(environment).not.toContain(password);
});

it('goes on as that role after the next start of everything, with what it wrote before', async () => {
  await fleet.stopServer();
  await fleet.stopDatabase();
  await fleet.restartDatabase();
  await fleet.startServer();
  expect((await fleet.modfleet('thaw')).code).toBe(0);
  const rows = await fleet.api('GET', '/api/v1/audit');
  expect(JSON.stringify(rows.body)).toContain('to see a row');
});

it('has one password from start to start, and a new one when the file with it is lost', async () => {
  const folder = join(fleet.folder, 'second');
  const postgres = await startEmbeddedPostgres(folder, { settings: { fsync: 'off' } });
  try {
    const first = await prepareForServer(postgres, folder);
    expect(await prepareForServer(postgres, folder)).toBe(first);
    expect(first).not.toBe(postgres.url());
    rmSync(join(folder, 'server-password'));
    expect(await prepareForServer(postgres, folder)).not.toBe(first);
  } finally {
    await postgres.stop();
  }
});
