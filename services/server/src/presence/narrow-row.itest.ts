import { randomUUID } from 'node:crypto';
import { Facet } from '@modfleet/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { lockLabels, updateLabels } from '../hosts/host-changes.queries.ts';
import { lockLoadedDigests, updateVouched, upsertFacets } from '../ingest/flush.queries.ts';
import { coverageOfSelection } from '../kmods/kmod-list.queries.ts';
import { forgetRetiredHosts } from '../retention/gc.queries.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { countCoverage } from './coverage.queries.ts';
import { buryDeadReplicas, endReplica } from './replica.queries.ts';
import { openSession } from '../testing/open-session.ts';
import { closeSessions, lockHosts, lockSessions } from './session.queries.ts';

const HOSTS = 60;
const ROUNDS = 120;

/** What the narrow row has to say, from the rows that it is a copy of. */
const DIFFERENT = `
  SELECT h.name, i.standing, i.replica, i.retired FROM host h
    FULL JOIN host_inventory i ON i.host_id = h.id
    LEFT JOIN label_set t ON t.id = i.label_set
    LEFT JOIN host_session s ON s.host_id = h.id LEFT JOIN replica r ON r.id = s.replica_id
   WHERE h.id IS NULL OR i.host_id IS NULL OR t.labels IS DISTINCT FROM h.labels OR (i.standing, i.retired) IS DISTINCT FROM (
           coalesce(s.vouched & 62, 0) | CASE WHEN s.host_id IS NULL THEN 0 ELSE 64 END
             | CASE WHEN s.host_id IS NOT NULL AND s.disconnected_at IS NULL THEN 128 ELSE 0 END
             | CASE WHEN h.quarantined_at IS NULL THEN 0 ELSE 256 END | CASE WHEN h.revoked_at IS NULL THEN 0 ELSE 512 END,
           h.retired_at IS NOT NULL)
      OR (s.disconnected_at IS NULL AND r.number IS NOT NULL AND r.number <> i.replica)`;

describe('the narrow row of a host', () => {
  let postgres: TestPostgres;
  let database: DatabaseService;
  const hosts = Array.from({ length: HOSTS }, () => randomUUID());
  const replicas = Array.from({ length: 3 }, () => randomUUID());
  beforeAll(async () => {
    postgres = await startTestPostgres();
    database = new DatabaseService({ databaseUrl: (await postgres.createDatabase()).url, dbPoolSize: 8 });
    await database.query(
      `INSERT INTO host (id, name, key_fingerprint) SELECT id, 'h' || place, sha256(place::text::bytea) FROM unnest($1::uuid[]) WITH ORDINALITY AS v (id, place)`,
      [hosts],
    );
    await database.query(
      `INSERT INTO loaded_set (id, digest, build_ids) VALUES (1, '\\x01', '{}'), (2, '\\x02', '{}')`,
    );
    for (const id of replicas) await come(id);
  });
  afterAll(async () => {
    await database.onApplicationShutdown();
    await postgres.close();
  });

  const come = (id: string) =>
    database.query('INSERT INTO replica (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET beat_at = now()', [id]);

  /** Park and Miller's: the same each time. */
  let state = 11;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const some = (count: number): string[] => [
    ...new Set(Array.from({ length: count }, () => hosts[Math.floor(random() * HOSTS)] ?? '')),
  ];
  const one = (): string => some(1)[0] ?? '';
  const sessionsOf = (ids: readonly string[]) =>
    database.query<{ hostId: string; sessionNo: number }>(
      'SELECT host_id AS "hostId", session_no AS "sessionNo" FROM host_session WHERE host_id = ANY ($1::uuid[])',
      [ids],
    );

  /** As ingest/flush.ts writes it. */
  async function flush(): Promise<void> {
    const sessions = await sessionsOf(some(20));
    const ended = sessions.slice(0, 3);
    await database.tx('READ COMMITTED', async (sql) => {
      await lockHosts(
        sql,
        ended.map(({ hostId }) => hostId),
      );
      await lockSessions(
        sql,
        sessions.map(({ hostId }) => hostId),
      );
      await lockLoadedDigests(sql, sessions);
      const hex = random() < 0.5 ? '01' : '02';
      await upsertFacets(
        sql,
        sessions.map((session) => ({ ...session, facet: Facet.FACET_LOADED, hex, reason: null, ageMs: 0 })),
      );
      await updateVouched(
        sql,
        sessions.map((session) => ({ ...session, mask: 2 * Math.floor(random() * 32) })),
      );
      await closeSessions(sql, ended);
    });
  }
  /** As a connection is admitted. */
  async function connect(): Promise<void> {
    const hostId = one();
    const replicaId = replicas[Math.floor(random() * replicas.length)] ?? '';
    await database.tx('READ COMMITTED', async (sql) => {
      await lockHosts(sql, [hostId]);
      if (random() < 0.2)
        await sql.query(
          'UPDATE host SET quarantined_at = CASE WHEN quarantined_at IS NULL THEN now() END WHERE id = $1',
          [hostId],
        );
      else await openSession(sql, { hostId, replicaId, bootId: 'b', address: 'a', continues: random() < 0.5 });
    });
  }
  /** As people label hosts. */
  async function label(): Promise<void> {
    const ids = some(10);
    const labels = { [`key${Math.floor(random() * 3)}`]: String(Math.floor(random() * 40)) };
    await database.tx('READ COMMITTED', async (sql) => {
      await lockLabels(sql, ids);
      await updateLabels(sql, ids, labels, random() < 0.3 ? ['key1'] : []);
    });
  }
  async function bury(): Promise<void> {
    const id = replicas[Math.floor(random() * replicas.length)] ?? '';
    if (random() < 0.5) await endReplica(database, id);
    else {
      await database.query(`UPDATE replica SET beat_at = now() - interval '2 hours' WHERE id = $1`, [id]);
      await buryDeadReplicas(database);
    }
    await come(id);
  }
  async function stand(): Promise<void> {
    // Revocation is taken back; who is retired stays so.
    const set =
      random() < 0.8
        ? 'revoked_at = CASE WHEN revoked_at IS NULL THEN now() END'
        : `retired_at = coalesce(retired_at, now() - interval '2 days')`;
    await database.query(`UPDATE host SET ${set} WHERE id = $1`, [one()]);
    if (random() < 0.2) await forgetRetiredHosts(database);
  }

  it('says what hosts, sessions and replicas say, whatever is written at once, and nobody waits in a circle', async () => {
    const works = [flush, flush, connect, connect, label, label, bury, stand];
    await Promise.all(
      works.map(async (work) => {
        for (let round = 0; round < ROUNDS; round += 1) await work();
      }),
    );
    expect(await database.query(DIFFERENT)).toEqual([]);
    // A key says of each host what the view says.
    const { selectorUnknown: _unknown, ...byKey } = await coverageOfSelection(database, {
      scope: 'all',
      includeUnknown: false,
    });
    expect(byKey).toMatchObject({
      ...(await countCoverage(database, Facet.FACET_LOADED, null)),
      asOf: expect.anything(),
    });
    expect(byKey.total).toBeGreaterThan(0);
  }, 60_000);

  it('lets the hosts of a replica be found again, whose row was gone for a while', async () => {
    const hostId = randomUUID();
    const [gone] = replicas;
    await database.query(`INSERT INTO host (id, name, key_fingerprint) VALUES ($1, 'again', sha256('again'))`, [
      hostId,
    ]);
    await database.tx('READ COMMITTED', (sql) =>
      openSession(sql, { hostId, replicaId: gone ?? '', bootId: 'b', address: 'a' }),
    );
    await database.query('DELETE FROM replica WHERE id = $1', [gone]);
    const live = async () =>
      (await database.query<{ live: boolean }>('SELECT live FROM host_standing WHERE id = $1', [hostId]))[0]?.live;
    expect(await live()).toBe(false);
    await come(gone ?? '');
    expect(await live()).toBe(true);
  });
});
