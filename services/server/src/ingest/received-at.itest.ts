import { Facet, type KnownFacet } from '@modfleet/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { upsertFacets } from './flush.queries.ts';

const HOST = '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11';

describe('when what is loaded came in', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    database = new DatabaseService({ databaseUrl: (await postgres.createDatabase()).url, dbPoolSize: 2 });
    await database.query('INSERT INTO host (id, name, key_fingerprint) VALUES ($1, $2, $3)', [HOST, 'h', Buffer.of(1)]);
    await database.query(`INSERT INTO loaded_set (digest, build_ids) VALUES ('\\xa1', '{1}'), ('\\xa2', '{2}')`);
    await database.query(`INSERT INTO config_set (digest, value) VALUES ('\\xc1', ''), ('\\xc2', '')`);
    await database.query('INSERT INTO host_session (host_id, session_no, replica_id) VALUES ($1, 1, $1)', [HOST]);
  });
  afterAll(async () => {
    await database.onApplicationShutdown();
    await postgres.close();
  });

  const tell = (...facets: [KnownFacet, string][]) =>
    upsertFacets(
      database,
      facets.map(([facet, hex]) => ({ hostId: HOST, sessionNo: 1, facet, hex, reason: null, ageMs: 60_000 })),
    );
  const received = async () =>
    (
      await database.query<{ at: Date | null }>('SELECT loaded_received_at AS at FROM host_inventory')
    )[0]?.at?.getTime();

  it('moves with what is loaded, and with nothing else', async () => {
    await tell([Facet.FACET_CONFIG, 'c1']);
    expect(await received()).toBeUndefined();
    await tell([Facet.FACET_LOADED, 'a1']);
    const first = await received();
    expect(first).toBeGreaterThan(Date.now() - 50_000);
    await tell([Facet.FACET_LOADED, 'a1'], [Facet.FACET_CONFIG, 'c2']);
    expect(await received()).toBe(first);
    await tell([Facet.FACET_LOADED, 'a2']);
    expect(await received()).toBeGreaterThan(first ?? Infinity);
  });
});
