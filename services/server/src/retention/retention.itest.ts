import { Facet } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EventPartitions } from '../events/event-partitions.service.ts';
import { insertEvents } from '../events/event.queries.ts';
import { createPartition } from '../events/partition.queries.ts';
import { lockKnownSets } from '../ingest/set.queries.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { loadedFacet, statusOf, TestAgent } from '../testing/test-agent.ts';
import { RetentionService } from './retention.service.ts';
import { comesTrue } from '../testing/comes-true.ts';

describe('retention', () => {
  let postgres: TestPostgres;
  let side: AgentSide;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    side = await AgentSide.start((await postgres.createDatabase()).url, {
      config: { eventRetentionDays: 30, retireAfterDays: 30 },
    });
  });
  afterEach(() => side.stop());

  const retention = (): RetentionService => side.app.get(RetentionService);
  const one = async <T extends object>(sql: string, params: unknown[] = []): Promise<T | undefined> =>
    (await side.database.query<T>(sql, params))[0];
  const sets = async (): Promise<number> => (await one<{ n: number }>('SELECT count(*) AS n FROM loaded_set'))?.n ?? -1;

  /** A host that reported `loaded` and is connected. */
  async function reporting(name: string, ...kmods: string[]): Promise<{ agent: TestAgent; end: () => Promise<void> }> {
    const agent = await side.host(name);
    const facet = loadedFacet(...kmods);
    const { session } = await agent.connect(side.sessionAddress, [statusOf(facet)]);
    session.whole(facet);
    await comesTrue(async () =>
      expect(await one('SELECT coverage FROM facet_coverage WHERE host_id = $1 AND facet = 1', [agent.hostId])).toEqual(
        { coverage: 'fresh' },
      ),
    );
    const end = async (): Promise<void> => {
      await session.drop();
      await comesTrue(async () =>
        expect(await one('SELECT live FROM session_presence WHERE host_id = $1', [agent.hostId])).toEqual({
          live: false,
        }),
      );
    };
    return { agent, end };
  }

  it('has a partition for last week and five weeks from now on, made once', async () => {
    const names = await side.database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'kmod_event'::regclass ORDER BY 1`,
    );
    expect(names.map((row) => row.name)).toEqual([
      ...Array.from({ length: 6 }, () => expect.stringMatching(/^kmod_event_\d{8}$/)),
      'kmod_event_default',
    ]);
    const made = await Promise.all([1, 2, 3].map(() => side.app.get(EventPartitions).makeAhead()));
    expect(made.flat()).toEqual([]);
    const seen = await side.database.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'host_seen'::regclass ORDER BY 1`,
    );
    expect(seen.map((row) => row.name)).toEqual([
      ...Array.from({ length: 6 }, () => expect.stringMatching(/^host_seen_\d{8}$/)),
      'host_seen_default',
    ]);
  });

  it('makes a partition although events of that week came first, and drops it when its time has passed', async () => {
    const partitions = side.app.get(EventPartitions);
    const newest =
      (await one<{ name: string }>(`SELECT max(relname) AS name FROM pg_class WHERE relname ~ '^kmod_event_[0-9]{8}$'`))
        ?.name ?? '';
    const events = (): Promise<{ table: string }[]> =>
      side.database.query(`SELECT tableoid::regclass::text AS "table" FROM kmod_event`);
    // An event in the middle of that week, which nobody has made a partition for yet.
    const day = newest.slice(-8);
    const middle = Date.UTC(Number(day.slice(0, 4)), Number(day.slice(4, 6)) - 1, Number(day.slice(6)) + 3);
    await side.database.query(`DROP TABLE ${newest}`);
    const event = {
      hostId: '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11',
      kmodId: 1,
      kind: 1,
      actionId: null,
      source: 'poll',
      detail: null,
    };
    await insertEvents(side.database, [{ ...event, ageMs: Date.now() - middle }]);
    expect(await events()).toEqual([{ table: 'kmod_event_default' }]);
    expect(await partitions.makeAhead()).toEqual([newest]);
    expect(await events()).toEqual([{ table: newest }]);
    const week = { name: 'kmod_event_20200106', from: '2020-01-06T00:00:00Z', to: '2020-01-13T00:00:00Z' };
    await side.database.tx('READ COMMITTED', (sql) => createPartition(sql, 'kmod_event', week));
    expect(await partitions.dropExpired()).toEqual([week.name]);
    expect(await events()).toHaveLength(1);
  });

  it('locks nobody out while somebody reads for long: what came meanwhile is stored at once, and the old partition goes afterwards', async () => {
    const partitions = side.app.get(EventPartitions);
    const week = { name: 'kmod_event_20200106', from: '2020-01-06T00:00:00Z', to: '2020-01-13T00:00:00Z' };
    await side.database.tx('READ COMMITTED', (sql) => createPartition(sql, 'kmod_event', week));
    const event = {
      hostId: '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11',
      kmodId: 1,
      kind: 1,
      actionId: null,
      source: 'poll',
      detail: null,
      ageMs: 0,
    };
    let waited = 0;
    await side.database.tx('REPEATABLE READ READ ONLY', async (reader) => {
      // Whoever has read the table holds a lock on it until its transaction ends: dropping a partition has to wait for that.
      await reader.query('SELECT count(*) FROM kmod_event');
      let ended = false;
      const dropping = partitions.dropExpired().finally(() => (ended = true));
      while (!ended) {
        const started = performance.now();
        await insertEvents(side.database, [event]);
        waited = Math.max(waited, performance.now() - started);
      }
      expect(await dropping).toEqual([]);
      expect(await reader.query('SELECT 1 FROM kmod_event')).toEqual([]);
    });
    // It would have been as long as the reader reads. On a busy machine a statement alone takes some hundred milliseconds.
    expect(waited).toBeLessThan(1_000);
    expect(await partitions.dropExpired()).toEqual([week.name]);
  });

  it('removes a set 24 h after nobody referred to it any more, and not before', async () => {
    const { agent } = await reporting('gc', 'a');
    expect(await retention().collect(Facet.FACET_LOADED)).toBe(0);
    await side.database.query('UPDATE host_inventory SET loaded = NULL, loaded_observed_at = NULL WHERE host_id = $1', [
      agent.hostId,
    ]);
    expect(await retention().collect(Facet.FACET_LOADED)).toBe(0);
    expect(await one('SELECT unreferenced_since IS NOT NULL AS marked FROM loaded_set')).toEqual({ marked: true });
    await side.database.query(`UPDATE loaded_set SET unreferenced_since = now() - interval '25 hours'`);
    expect(await retention().collect(Facet.FACET_LOADED)).toBe(1);
    expect(await sets()).toBe(0);
  });

  it('spares a set that somebody was told is known a moment ago', async () => {
    const { agent } = await reporting('race', 'a');
    const row = await one<{ id: number }>('SELECT loaded AS id FROM host_inventory');
    await side.database.query('UPDATE host_inventory SET loaded = NULL, loaded_observed_at = NULL WHERE host_id = $1', [
      agent.hostId,
    ]);
    await side.database.query(`UPDATE loaded_set SET unreferenced_since = now() - interval '25 hours'`);
    let collecting: Promise<number> | undefined;
    await side.database.tx('READ COMMITTED', async (sql) => {
      await lockKnownSets(sql, 'shared');
      expect(await sql.query('SELECT 1 FROM loaded_set WHERE id = $1', [row?.id])).toHaveLength(1);
      collecting = retention().collect(Facet.FACET_LOADED);
      await comesTrue(async () =>
        expect(
          await one(`SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`),
        ).toEqual({ n: 1 }),
      );
      await sql.query('UPDATE host_inventory SET loaded = $2, loaded_observed_at = now() WHERE host_id = $1', [
        agent.hostId,
        row?.id,
      ]);
    });
    expect(await collecting).toBe(0);
    expect(await one('SELECT unreferenced_since AS since FROM loaded_set')).toEqual({ since: null });
  });

  it('retires hosts that were silent for too long, and only those', async () => {
    const live = await reporting('live', 'a');
    const silent = await reporting('silent', 'a');
    await silent.end();
    const never = await side.host('never');
    const lately = await reporting('lately', 'a');
    await lately.end();
    const long = `now() - interval '31 days'`;
    await side.database.query(`UPDATE host SET enrolled_at = ${long}, last_seen_at = ${long} WHERE id <> $1`, [
      lately.agent.hostId,
    ]);
    await side.database.query(`UPDATE host SET enrolled_at = ${long} WHERE id = $1`, [lately.agent.hostId]);
    await side.database.query(
      `UPDATE host_session SET connected_at = ${long}, disconnected_at = ${long} WHERE host_id = $1`,
      [silent.agent.hostId],
    );
    const retired = await retention().retireSilent();
    expect(retired.sort()).toEqual([silent.agent.hostId, never.hostId].sort());
    expect(
      await one('SELECT retired_by AS by, retire_reason AS reason FROM host WHERE id = $1', [never.hostId]),
    ).toEqual({ by: 'modfleet', reason: 'not seen for 30 days' });
    expect(await one('SELECT retired_at FROM host WHERE id = $1', [live.agent.hostId])).toEqual({ retired_at: null });
    expect(await one('SELECT count(*)::int AS n FROM facet_coverage WHERE host_id = $1', [never.hostId])).toEqual({
      n: 0,
    });
  });

  it('forgets by which key a join token was used a month after its end, and not before', async () => {
    const token = await side.joinToken({ maxUses: 2 });
    const agents = await Promise.all(['used-1', 'used-2'].map((name) => TestAgent.create(name)));
    for (const agent of agents) await agent.enroll(side, token);
    const uses = (): Promise<{ uses: number; n: number } | undefined> =>
      one(`SELECT uses, (SELECT count(*)::int FROM join_token_use u WHERE u.token_id = t.id) AS n FROM join_token t`);
    for (const [ended, used, n] of [
      [29, 40, 2],
      [31, 29, 2],
      [31, 31, 0],
    ]) {
      await side.database.query('UPDATE join_token SET expires_at = now() - make_interval(days => $1)', [ended]);
      await side.database.query('UPDATE join_token_use SET used_at = now() - make_interval(days => $1)', [used]);
      await retention().round();
      expect(await uses()).toEqual({ uses: 2, n });
    }
  });

  it('gets through a whole round', async () => {
    await retention().round();
    expect(await sets()).toBe(0);
  });
});
