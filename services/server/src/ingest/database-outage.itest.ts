import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus } from '../bus/bus.ts';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { DatabaseService } from '../database/database.service.ts';
import { readServerConfig } from '../config/server-config.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { TcpProxy } from '../testing/tcp-proxy.ts';
import { loadedFacet, statusOf, type TestFacet } from '../testing/test-agent.ts';

describe('when Postgres goes away and comes back', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());

  it('sessions stay, the newest word of each host is stored, no event is lost, and wake-ups work again', async () => {
    const database = await postgres.createDatabase();
    const { proxy, url } = await TcpProxy.before(database.url);
    const side = await AgentSide.start(url);
    const direct = new DatabaseService({ ...readServerConfig({ DATABASE_URL: database.url }), dbPoolSize: 2 });
    try {
      const agent = await side.host();
      const [before, lost, after] = [loadedFacet('a'), loadedFacet('a', 'b'), loadedFacet('a', 'c')];
      const { session } = await agent.connect(side.sessionAddress, [statusOf(before)]);
      session.whole(before);
      const stored = async (facet: TestFacet): Promise<void> =>
        vi.waitFor(
          async () =>
            expect(
              await direct.query(`SELECT encode(digest, 'hex') AS hex, coverage FROM facet_coverage WHERE facet = 1`),
            ).toEqual([{ hex: facet.digest.toString('hex'), coverage: 'fresh' }]),
          { timeout: 30_000, interval: 100 },
        );
      await stored(before);

      await proxy.cut();
      await expect(side.database.query('SELECT 1')).rejects.toBeInstanceOf(DatabaseUnavailableError);
      await expect(side.database.tx('READ COMMITTED', (sql) => sql.query('SELECT 1'))).rejects.toBeInstanceOf(
        DatabaseUnavailableError,
      );
      session.send({
        $case: 'kmodEvents',
        value: { events: [{ kmod: 'c', kind: 1, ageMs: 0, actionId: '', source: 'uevent' }], lost: false },
      });
      session.whole(lost);
      session.whole(after);
      session.heartbeat([statusOf(after)]);
      await session.expect('heartbeatReply');
      // A host that comes while the database is away is sent away with "not now", never with "no".
      const other = agent.clone();
      expect(await other.dial(side.sessionAddress).ended).toMatchObject({ code: 14 });

      await proxy.mend();
      await stored(after);
      const events = await direct.query(
        `SELECT k.name, e.kind, e.source FROM kmod_event e JOIN kmod k ON k.id = e.kmod_id ORDER BY e.id`,
      );
      expect(events).toEqual([{ name: 'c', kind: 1, source: 'uevent' }]);
      session.heartbeat([statusOf(after)]);
      await session.expect('heartbeatReply');

      const heard: string[] = [];
      const bus = side.app.get(Bus);
      bus.subscribe('test', (payload) => heard.push(payload));
      await vi.waitFor(
        async () => {
          await bus.publish('test', 'hello');
          expect(heard).toContain('hello');
        },
        { timeout: 30_000, interval: 200 },
      );
      await session.drop();
    } finally {
      await side.stop();
      await direct.onApplicationShutdown();
      await proxy.cut();
    }
  });
});
