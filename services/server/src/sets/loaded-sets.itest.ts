import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { LoadedSets } from './loaded-sets.ts';
import { bitSql } from './set-bits.ts';

const HOUR_MS = 3_600_000;

describe('loaded sets in memory', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;
  let now = 0;
  let sets: LoadedSets;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    database = new DatabaseService({ databaseUrl: (await postgres.createDatabase()).url, dbPoolSize: 4 });
    await database.query(`INSERT INTO kmod (id, name) VALUES (1, 'a'), (2, 'b')`);
    // Two builds of a, one of b.
    await database.query(
      `INSERT INTO kmod_build (id, kmod_id, key, build_id, size, taint, version, srcversion, state)
       SELECT b.id, b.kmod, sha256(b.id::text::bytea), '', 1, '', '', '', 1 FROM (VALUES (1, 1), (2, 2), (40, 1)) b (id, kmod)`,
    );
  });
  afterAll(async () => {
    await database.onApplicationShutdown();
    await postgres.close();
  });
  beforeEach(async () => {
    await database.query('TRUNCATE loaded_set RESTART IDENTITY');
    now = 0;
    sets = new LoadedSets(() => now);
  });

  const store = (sql: Sql, id: number, builds: readonly number[]) =>
    sql.query(`INSERT INTO loaded_set (id, digest, build_ids) VALUES ($1::int, sha256($1::int::text::bytea), $2)`, [
      id,
      builds,
    ]);
  const snapshot = <T>(work: (sql: Sql) => Promise<T>): Promise<T> => database.tx('REPEATABLE READ READ ONLY', work);
  /** Of these sets the ones that have the kmod, as Postgres reads the bits. */
  const having = (kmod: number, among = [1, 2, 9, 30, 31, 500]): Promise<number[]> =>
    snapshot(async (sql) => {
      await sets.sync(sql);
      const params = new SqlParams();
      const bit = bitSql(sets.having(kmod), 's', params);
      const rows = await sql.query<{ s: number }>(
        `SELECT s FROM unnest(${params.add(among)}::int[]) s WHERE ${bit} = 1 ORDER BY s`,
        params.values,
      );
      return rows.map((row) => row.s);
    });

  it('say which have a kmod, also of those that came later, with higher and lower numbers', async () => {
    expect(await having(1)).toEqual([]);
    await store(database, 30, [1, 2]);
    await store(database, 31, [2]);
    expect(await having(1)).toEqual([30]);
    expect(await having(2)).toEqual([30, 31]);
    await store(database, 500, [40]);
    await store(database, 9, [40, 2]);
    await store(database, 2, []);
    expect(await having(1)).toEqual([9, 30, 500]);
    expect(await having(2)).toEqual([9, 30, 31]);
    expect(await having(3)).toEqual([]);
  });

  it('miss none that a slow transaction stores before, and a younger reader has come in between', async () => {
    await store(database, 1, [1]);
    expect(await having(1)).toEqual([1]);
    const slow = await database.pool.connect();
    try {
      await slow.query('BEGIN');
      await store({ query: async (text, params) => (await slow.query(text, [...(params ?? [])])).rows }, 2, [1]);
      await store(database, 30, [1]);
      expect(await having(1)).toEqual([1, 30]);
      await slow.query('COMMIT');
    } finally {
      slow.release();
    }
    expect(await having(1)).toEqual([1, 2, 30]);
  });

  it('serve a transaction that began before others brought more', async () => {
    await store(database, 1, [1]);
    await snapshot(async (older) => {
      await older.query('SELECT 1');
      await store(database, 30, [1]);
      expect(await having(1)).toEqual([1, 30]);
      await sets.sync(older);
      expect(await sets.addUp([{ set: 1, group: 0, n: 3 }])).toHaveLength(1);
    });
    expect(await having(1)).toEqual([1, 30]);
  });

  it('add up hosts by build and group', async () => {
    await store(database, 1, [1, 2]);
    await store(database, 2, [2, 40]);
    await snapshot((sql) => sets.sync(sql));
    const [first, second] = await sets.addUp([
      { set: 1, group: 0, n: 5 },
      { set: 2, group: 0, n: 7 },
      { set: 2, group: 1, n: 1 },
    ]);
    expect([1, 2, 40].map((build) => [first?.[build], second?.[build]])).toEqual([
      [5, 0],
      [12, 1],
      [7, 1],
    ]);
    await expect(sets.addUp([{ set: 77, group: 0, n: 1 }])).rejects.toThrow('77');
  });

  it('forget what was collected hours ago, and nothing else', async () => {
    await store(database, 1, [1]);
    await store(database, 30, [1]);
    expect(await having(1)).toEqual([1, 30]);
    await database.query('DELETE FROM loaded_set WHERE id = 1');
    await store(database, 31, [1]);
    // In memory still: no host has it.
    expect(await having(1)).toEqual([1, 30, 31]);
    now += 7 * HOUR_MS;
    expect(await having(1)).toEqual([30, 31]);
    await expect(sets.addUp([{ set: 1, group: 0, n: 1 }])).rejects.toThrow('1');
  });
});
