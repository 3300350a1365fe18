import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { countCoverage, facetsOf } from './coverage.queries.ts';
import { buryDeadReplicas } from './replica.queries.ts';

/** One host's rows, straight in SQL: what the view makes of them is what is tested. */
interface Seed {
  readonly beatAgeS?: number;
  readonly ended?: boolean;
  readonly vouched?: number;
  readonly observedAgeS?: number;
  readonly incapable?: string;
  readonly session?: boolean;
  readonly facet?: boolean;
  readonly quarantined?: boolean;
  readonly retired?: boolean;
}

const LOADED_BIT = 1 << 1;

describe('coverage', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    database = new DatabaseService({
      ...readServerConfig({ DATABASE_URL: (await postgres.createDatabase()).url }),
      dbPoolSize: 2,
    });
  });
  afterAll(async () => {
    await database.onApplicationShutdown();
    await postgres.close();
  });
  beforeEach(() => database.query('TRUNCATE host, host_inventory, host_session, replica'));

  async function seed(options: Seed): Promise<string> {
    const { beatAgeS = 1, ended = false, vouched = LOADED_BIT, observedAgeS = 300 } = options;
    const id = randomUUID();
    const replica = randomUUID();
    await database.query(
      `INSERT INTO host (id, name, key_fingerprint, quarantined_at, quarantine_reason, retired_at)
       VALUES ($1, 'h', $2, CASE WHEN $3 THEN now() END, 'clone', CASE WHEN $4 THEN now() END)`,
      [id, Buffer.from(id), options.quarantined ?? false, options.retired ?? false],
    );
    await database.query('INSERT INTO replica (id, beat_at) VALUES ($1, now() - make_interval(secs => $2))', [
      replica,
      beatAgeS,
    ]);
    if (options.session !== false) {
      await database.query(
        `INSERT INTO host_session (host_id, session_no, replica_id, connected_at, vouched, disconnected_at)
         VALUES ($1, 1, $2, now() - interval '1 day', $3, CASE WHEN $4 THEN now() - interval '50 seconds' END)`,
        [id, replica, vouched, ended],
      );
    }
    if (options.facet !== false) {
      await database.query(
        `UPDATE host_inventory SET loaded = $2, loaded_observed_at = now() - make_interval(secs => $3), loaded_reason = $4 WHERE host_id = $1`,
        [id, options.incapable === undefined ? 1 : null, observedAgeS, options.incapable ?? null],
      );
    }
    return id;
  }
  const loadedOf = async (
    options: Seed,
  ): Promise<{ coverage: string | undefined; reason: string | null | undefined; ageS: number | undefined }> => {
    const row = (await facetsOf(database, [await seed(options)])).find((facet) => facet.facet === 1);
    const [clock] = await database.query<{ now: Date }>('SELECT now() AS now');
    const age =
      row?.observedAt && clock ? Math.round((clock.now.getTime() - row.observedAt.getTime()) / 1000) : undefined;
    return { coverage: row?.coverage, reason: row?.reason, ageS: age };
  };

  it.each<[string, Seed, { coverage: string; reason: string | null; ageS: number | undefined }]>([
    // Vouched for: observed within the window (20 s) before the last beat, whatever old time the row has.
    ['vouched for on a live session', {}, { coverage: 'fresh', reason: null, ageS: 21 }],
    ['vouched for and observed just now', { observedAgeS: 3 }, { coverage: 'fresh', reason: null, ageS: 3 }],
    ['not vouched for', { vouched: 0 }, { coverage: 'stale', reason: 'not observed lately', ageS: 300 }],
    ['another facet vouched for', { vouched: 1 << 2 }, { coverage: 'stale', reason: 'not observed lately', ageS: 300 }],
    [
      'connected, nothing reported',
      { facet: false },
      { coverage: 'stale', reason: 'not reported yet', ageS: undefined },
    ],
    ['a replica that died', { beatAgeS: 11 }, { coverage: 'silent', reason: 'not connected', ageS: 31 }],
    ['a session that ended', { ended: true, vouched: 0 }, { coverage: 'silent', reason: 'not connected', ageS: 300 }],
    [
      'never connected',
      { session: false, facet: false },
      { coverage: 'silent', reason: 'never connected', ageS: undefined },
    ],
    ['incapable', { incapable: 'no modules' }, { coverage: 'incapable', reason: 'no modules', ageS: 21 }],
    [
      'incapable as long as it was said lately',
      { incapable: 'no modules', vouched: 0 },
      { coverage: 'stale', reason: 'no modules', ageS: 300 },
    ],
    ['quarantined', { quarantined: true }, { coverage: 'incapable', reason: 'quarantined: clone', ageS: 21 }],
    [
      'quarantined and gone',
      { quarantined: true, ended: true, vouched: 0 },
      { coverage: 'incapable', reason: 'quarantined: clone', ageS: 300 },
    ],
  ])('%s', async (_name, options, expected) => {
    expect(await loadedOf(options)).toEqual(expected);
  });

  it('counts every host once, retired ones not at all', async () => {
    const ids = [
      await seed({}),
      await seed({ vouched: 0 }),
      await seed({ beatAgeS: 60 }),
      await seed({ incapable: 'x' }),
    ];
    await seed({ retired: true });
    const counts = { total: 4, fresh: 1, stale: 1, silent: 1, incapable: 1 };
    expect(await countCoverage(database, 1, null)).toMatchObject(counts);
    expect(await countCoverage(database, 2, null)).toMatchObject({
      total: 4,
      fresh: 0,
      stale: 3,
      silent: 1,
      incapable: 0,
    });
    expect(await countCoverage(database, 1, ids.slice(0, 2))).toMatchObject({ total: 2, fresh: 1, stale: 1 });
  });

  it('keeps "last seen" of hosts whose replica died and was buried', async () => {
    const id = await seed({ beatAgeS: 7_200 });
    await buryDeadReplicas(database);
    expect(
      await database.query(
        'SELECT extract(epoch FROM now() - seen_at)::int AS age, live FROM session_presence WHERE host_id = $1',
        [id],
      ),
    ).toEqual([{ age: 7200, live: false }]);
    expect(await database.query('SELECT count(*)::int AS n FROM replica')).toEqual([{ n: 0 }]);
  });
});
