import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../database/migrate.ts';
import { chooseServer, dropDatabase, shareServer, withDatabase } from './postgres.ts';

/** Once a run of the integration tests (vitest's globalSetup): one server and one migrated template for all files. A file took half its time for its own. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await chooseServer();
  const template = `modfleet_template_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server.adminUrl });
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${template}`);
  await migrate(withDatabase(server.adminUrl, template));
  const takeBack = shareServer(server, template);
  return async () => {
    takeBack();
    if (server.isShared) await dropDatabase(admin, template);
    await admin.end();
    await server.stop();
  };
}
