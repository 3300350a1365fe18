import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { ApiServer } from '../testing/api-server.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../testing/postgres.ts';

let postgres: TestPostgres;
let database: TestDatabase;
let server: ApiServer;
let admin: pg.Client;

/** Away: nobody may connect, and whoever is connected is cut. */
const goAway = async (): Promise<void> => {
  await admin.query(`ALTER DATABASE ${database.name} WITH ALLOW_CONNECTIONS false`);
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database.name]);
};
const comeBack = () => admin.query(`ALTER DATABASE ${database.name} WITH ALLOW_CONNECTIONS true`);

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = await postgres.createDatabase();
  const url = new URL(database.url);
  url.pathname = '/postgres';
  admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  server = await ApiServer.start(database.url);
});
afterAll(async () => {
  await comeBack();
  await server?.stop();
  await admin?.end();
  await postgres?.close();
});

describe('while the database is away', () => {
  it('the API answers 503 with Retry-After, health says why, and all is well after', async () => {
    expect((await server.call('GET', '/api/v1/hosts')).status).toBe(200);
    await goAway();
    const answer = await server.call('GET', '/api/v1/hosts');
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'database_unavailable' },
      headers: { 'retry-after': '2' },
    });
    expect(JSON.stringify(answer.body)).not.toContain('postgres');
    expect((await server.call('PATCH', '/api/v1/hosts', { body: { all: true, labels: { a: 'b' } } })).status).toBe(503);
    expect((await server.call('GET', '/healthz', { token: null })).status).toBe(200);
    expect(await server.call('GET', '/readyz', { token: null })).toMatchObject({
      status: 503,
      body: { status: 'not_ready' },
    });
    await comeBack();
    await expect.poll(async () => (await server.call('GET', '/api/v1/hosts')).status).toBe(200);
    expect((await server.call('GET', '/readyz', { token: null })).status).toBe(200);
  });
});

describe('while every connection of the pool is taken', () => {
  it('the API answers 503 overloaded with Retry-After, and all is well after', async () => {
    const small = await ApiServer.start(database.url, { MODFLEET_DB_POOL_SIZE: '2' });
    try {
      // The other one is kept for hosts.
      const taken = await small.database.pool.connect();
      const answer = await small.call('GET', '/api/v1/hosts');
      taken.release();
      expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded' }, headers: { 'retry-after': '1' } });
      expect((await small.call('GET', '/api/v1/hosts')).status).toBe(200);
    } finally {
      await small.stop();
    }
  });
});
