import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { migrate } from '../database/migrate.ts';
import { chooseServer, dropDatabase, withDatabase } from './postgres-server.ts';

/** Once a run of the integration tests (vitest's globalSetup): one server and one migrated template for all files. A file took half its time for its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await chooseServer();
  const template = `modfleet_template_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server.adminUrl });
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${template}`);
  await migrate(withDatabase(server.adminUrl, template));
  project.provide('testServer', { kind: server.kind, adminUrl: server.adminUrl, template });
  return async () => {
    if (server.isShared) await dropDatabase(admin, template);
    await admin.end();
    await server.stop();
  };
}
