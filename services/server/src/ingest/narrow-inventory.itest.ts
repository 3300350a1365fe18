import { Facet, type LoadedKmod } from '@modfleet/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { migrate, migrationList } from '../database/migrate.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { facetOf } from '../testing/test-agent.ts';
import { BuildDictionary } from './build-dictionary.ts';
import { selectLoadedEntries } from './flush.queries.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import { loadedKmods } from './set.queries.ts';
import { loadedEntries } from './set-writer.ts';

const HOST = '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11';
const kmods: LoadedKmod[] = [
  { name: 'a', buildId: 'ab'.repeat(20), size: 4096, taint: 'OE', srcversion: 'ABC', version: '1.0', state: 1 },
  { name: 'b_c', buildId: '', size: 2 ** 33, taint: '', srcversion: '', version: 'ü "x"', state: 0 },
  { name: 'd', buildId: 'cd'.repeat(20), size: 1, taint: '', srcversion: '', version: '', state: 3 },
];

/** What a server of before migration 0016 has stored is what this one reads. */
describe('migration 0016', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;
  const loaded = facetOf(Facet.FACET_LOADED, { kmods });

  beforeAll(async () => {
    postgres = await startTestPostgres();
    const { url } = await postgres.createEmptyDatabase();
    const all = migrationList();
    const before = all.migrationDirectories.filter(({ path }) => path < '0016');
    await migrate(url, { ...all, migrationDirectories: before });
    database = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
    await database.query(`INSERT INTO kmod (id, name) VALUES (7, 'd'), (8, 'b_c'), (9, 'a')`);
    await database.query('INSERT INTO host (id, name, key_fingerprint) VALUES ($1, $2, $3)', [HOST, 'h', Buffer.of(1)]);
    await database.query('INSERT INTO loaded_set (digest, kmod_ids, value, entries) VALUES ($1, $2, $3, $4)', [
      loaded.digest,
      [7, 8, 9],
      loaded.bytes,
      JSON.stringify(Object.fromEntries(loadedEntries({ kmods }))),
    ]);
    await database.query('INSERT INTO loaded_set (digest, kmod_ids, value) VALUES ($1, $2, $3)', [
      Buffer.alloc(32, 2),
      [],
      Buffer.of(),
    ]);
    await database.query(
      `INSERT INTO host_facet (host_id, facet, digest, observed_at, received_at, incapable_reason) VALUES
         ($1, 1, $2, '2026-01-01T10:00:00Z', '2026-01-01T09:30:00Z', NULL), ($1, 3, NULL, '2026-01-01T11:00:00Z', now(), 'no modules'),
         ($1, 5, $3, '2026-01-01T12:00:00Z', now(), NULL)`,
      [HOST, loaded.digest, Buffer.alloc(32, 5)],
    );
    await database.query(
      `INSERT INTO host_session (host_id, session_no, replica_id, connected_at, disconnected_at)
       VALUES ($1, 1, $1, '2026-01-01T09:00:00Z', '2026-01-01T13:00:00Z')`,
      [HOST],
    );
    await migrate(url);
  });
  afterAll(async () => {
    await database.onApplicationShutdown();
    await postgres.close();
  });

  it('keeps what hosts reported, facet by facet', async () => {
    const [row] = await database.query(
      `SELECT i.*, l.digest AS loaded FROM host_inventory i LEFT JOIN loaded_set l ON l.id = i.loaded WHERE host_id = $1`,
      [HOST],
    );
    expect(row).toEqual({
      host_id: HOST,
      // It had a session, which has ended.
      standing: 64,
      packed: 64 + 2048 + 16_384,
      replica: 0,
      retired: false,
      label_set: 1,
      loaded: loaded.digest,
      loaded_reason: null,
      loaded_observed_at: new Date('2026-01-01T10:00:00Z'),
      parameters: null,
      parameters_reason: null,
      parameters_observed_at: null,
      available: null,
      available_reason: 'no modules',
      available_observed_at: new Date('2026-01-01T11:00:00Z'),
      devices: null,
      devices_reason: null,
      devices_observed_at: null,
      // The set was not stored: there is no number for it.
      config: null,
      config_reason: null,
      config_observed_at: new Date('2026-01-01T12:00:00Z'),
      loaded_received_at: new Date('2026-01-01T09:30:00Z'),
    });
  });

  it('turns sets into builds, of which nothing is lost, and which are those that a host names now', async () => {
    const hex = loaded.digest.toString('hex');
    expect(await loadedKmods(database, hex)).toEqual(kmods);
    expect(await selectLoadedEntries(database, [hex])).toEqual([
      { hex, entries: Object.fromEntries(loadedEntries({ kmods })) },
    ]);
    expect(await loadedKmods(database, '02'.repeat(32))).toEqual([]);
    const names = new KmodDictionary(database);
    const [ids] = await new BuildDictionary(database, names).ids([kmods]);
    const [set] = await database.query<{ ids: number[] }>('SELECT build_ids AS ids FROM loaded_set WHERE digest = $1', [
      loaded.digest,
    ]);
    expect(ids).toEqual(set?.ids);
    expect(await database.query('SELECT FROM kmod_build')).toHaveLength(kmods.length);
  });

  it('takes the latest connection on record', async () => {
    expect(await database.query('SELECT seen_from, seen_until FROM host_seen')).toEqual([
      { seen_from: new Date('2026-01-01T09:00:00Z'), seen_until: new Date('2026-01-01T13:00:00Z') },
    ]);
  });
});
