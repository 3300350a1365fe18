import { chunksOf, diffFacets, Facet, KmodBlock, AvailableKmod, Device } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import {
  facetOf,
  loadedFacet,
  statusOf,
  type TestAgent,
  type TestFacet,
  type TestSession,
} from '../testing/test-agent.ts';
import { comesTrue } from '../testing/comes-true.ts';

interface CoverageRow {
  readonly coverage: string;
  readonly hex: string | null;
  readonly reason: string | null;
}

describe('ingest', () => {
  let postgres: TestPostgres;
  let side: AgentSide;
  const open: TestSession[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    side = await AgentSide.start((await postgres.createDatabase()).url, {
      config: { heartbeatIntervalMs: 1_000, facetIntervalMs: 1_000 },
    });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.drop()));
    await side.stop();
  });

  const connect = async (
    agent: TestAgent,
    ...facets: TestFacet[]
  ): Promise<{ session: TestSession; wanted: readonly Facet[] }> => {
    const { session, welcome } = await agent.connect(
      side.sessionAddress,
      facets.map((facet) => statusOf(facet)),
    );
    open.push(session);
    return { session, wanted: welcome.wanted };
  };
  const coverage = async (agent: TestAgent, facet: Facet = Facet.FACET_LOADED): Promise<CoverageRow | undefined> =>
    (
      await side.database.query<CoverageRow>(
        `SELECT coverage, encode(digest, 'hex') AS hex, reason FROM facet_coverage WHERE host_id = $1 AND facet = $2`,
        [agent.hostId, facet],
      )
    )[0];
  const becomes = (agent: TestAgent, facet: TestFacet): Promise<void> =>
    comesTrue(async () =>
      expect(await coverage(agent, facet.facet)).toEqual({
        coverage: 'fresh',
        hex: facet.digest.toString('hex'),
        reason: null,
      }),
    );
  const events = (agent: TestAgent): Promise<object[]> =>
    side.database.query(
      `SELECT k.name, e.kind, e.source, e.action_id AS "actionId" FROM kmod_event e JOIN kmod k ON k.id = e.kmod_id WHERE e.host_id = $1 ORDER BY e.id`,
      [agent.hostId],
    );
  const count = async (table: string): Promise<number> =>
    (await side.database.query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`))[0]?.n ?? -1;

  it('asks only for what no host has sent, and only one host for it', async () => {
    const facet = loadedFacet('e1000e', 'ext4');
    const agents = await Promise.all(['a', 'b', 'c'].map((name) => side.host(name)));
    const [first, second, third] = agents;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three hosts');
    const one = await connect(first, facet);
    expect(one.wanted).toEqual([Facet.FACET_LOADED]);
    expect((await connect(second, facet)).wanted).toEqual([]);
    expect(await coverage(second)).toMatchObject({ coverage: 'stale', hex: null });
    one.session.whole(facet);
    await becomes(first, facet);
    await becomes(second, facet);
    expect((await connect(third, facet)).wanted).toEqual([]);
    await becomes(third, facet);
    expect(await count('loaded_set')).toBe(1);
    const rows = await side.database.query(
      `SELECT k.name, b.build_id AS "buildId" FROM loaded_set s JOIN kmod_build b ON b.id = ANY (s.build_ids) JOIN kmod k ON k.id = b.kmod_id ORDER BY 1`,
    );
    expect(rows).toEqual([
      { name: 'e1000e', buildId: 'ab'.repeat(20) },
      { name: 'ext4', buildId: 'ab'.repeat(20) },
    ]);
  });

  it('passes the upload to the next host when the one that was asked goes away', async () => {
    const facet = loadedFacet('e1000e');
    const [a, b] = [await side.host('a'), await side.host('b')];
    const one = await connect(a, facet);
    const two = await connect(b, facet);
    await one.session.drop();
    expect(await two.session.expect('facetRequest')).toEqual({ facets: [Facet.FACET_LOADED] });
    two.session.whole(facet);
    await becomes(b, facet);
  });

  it('applies a delta to what it has, and asks for the whole when it cannot', async () => {
    const [base, next, last] = [loadedFacet('a', 'b'), loadedFacet('b', 'c'), loadedFacet('c', 'd')];
    const agent = await side.host();
    const { session } = await connect(agent, base);
    session.whole(base);
    await becomes(agent, base);
    const delta = (from: TestFacet, to: TestFacet, digest = to.digest): void => {
      const change = diffFacets(Facet.FACET_LOADED, from.bytes, to.bytes);
      if (change === undefined) throw new Error('loaded has deltas');
      const content = {
        $case: 'delta',
        value: { baseDigest: from.digest, removed: change.removed, upserted: change.upserted },
      } as const;
      session.send({ $case: 'facetUpdate', value: { facet: Facet.FACET_LOADED, digest, observedAgeMs: 0, content } });
    };
    delta(base, next);
    await becomes(agent, next);
    // Against something that nobody ever sent.
    delta(loadedFacet('unheard_of', 'c'), last);
    expect(await session.expect('facetRequest')).toEqual({ facets: [Facet.FACET_LOADED] });
    expect(await coverage(agent)).toMatchObject({ coverage: 'stale' });
    session.whole(last);
    await becomes(agent, last);
    // A delta whose result is not what it says.
    delta(last, next, base.digest);
    await becomes(agent, base);
    delta(base, last, loadedFacet('z').digest);
    expect(await session.expect('facetRequest')).toEqual({ facets: [Facet.FACET_LOADED] });
  });

  it('stores nothing under a digest that is not the content’s, nor names that are none', async () => {
    const agent = await side.host();
    const truth = loadedFacet('a');
    const { session } = await connect(agent, truth);
    session.send({
      $case: 'facetUpdate',
      value: {
        facet: Facet.FACET_LOADED,
        digest: truth.digest,
        observedAgeMs: 0,
        content: { $case: 'whole', value: loadedFacet('b').bytes },
      },
    });
    session.whole(loadedFacet('not-canonical'));
    // Stored after the two above would have been.
    const devices = facetOf(Facet.FACET_DEVICES, { devices: [] });
    session.whole(devices);
    await becomes(agent, devices);
    expect(await count('loaded_set')).toBe(0);
    expect((await coverage(agent))?.coverage).toBe('stale');
  });

  it('takes every facet, in chunks where it is long', async () => {
    const agent = await side.host();
    const available = facetOf(Facet.FACET_AVAILABLE, {
      kernelRelease: '6.12.0-1-amd64',
      kmods: Array.from({ length: 3_000 }, (_, index) =>
        AvailableKmod.fromPartial({
          name: `kmod_${index}`,
          path: `kernel/${index}.ko.xz`,
          description: 'x'.repeat(100),
          depends: ['kmod_1'],
          aliases: [`pci:v0000${index}*`, `alias-${index}`],
          builtin: index === 0,
        }),
      ),
    });
    // Named by the index files, not by its bytes.
    const indexDigest = Buffer.alloc(32, 7);
    const devices = facetOf(Facet.FACET_DEVICES, {
      devices: [
        Device.fromPartial({ bus: 'pci', address: '0000:00:03.0', driver: 'e1000e', kmod: 'e1000e', names: ['eth0'] }),
      ],
    });
    const config = facetOf(Facet.FACET_CONFIG, {
      modprobe: [],
      modulesLoad: [],
      kernelCmdline: 'quiet',
      unreadable: [],
      modulesDisabled: false,
      blocks: [
        KmodBlock.fromPartial({
          kmod: 'floppy',
          rung: 2,
          file: '/etc/modprobe.d/x.conf',
          line: 3,
          detail: 'install floppy /bin/false',
        }),
      ],
    });
    const parameters = facetOf(Facet.FACET_PARAMETERS, {
      kmods: [{ name: 'e1000e', parameters: [{ name: 'debug', value: '0', unreadableReason: '' }] }],
    });
    const announced = [{ ...available, digest: indexDigest }, devices, config, parameters];
    const { session, wanted } = await connect(agent, ...announced);
    expect(wanted.toSorted((a, b) => a - b)).toEqual([
      Facet.FACET_PARAMETERS,
      Facet.FACET_AVAILABLE,
      Facet.FACET_DEVICES,
      Facet.FACET_CONFIG,
    ]);
    for (const chunk of chunksOf(available.bytes)) {
      session.send({
        $case: 'facetUpdate',
        value: {
          facet: Facet.FACET_AVAILABLE,
          digest: indexDigest,
          observedAgeMs: 0,
          content: { $case: 'chunk', value: chunk },
        },
      });
    }
    for (const facet of [devices, config, parameters]) session.whole(facet);
    await vi.waitFor(
      async () => {
        session.heartbeat(announced.map((facet) => statusOf(facet)));
        const rows = await side.database.query(
          `SELECT facet FROM facet_coverage WHERE host_id = $1 AND coverage = 'fresh' ORDER BY 1`,
          [agent.hostId],
        );
        expect(rows.map((row) => (row as { facet: number }).facet)).toEqual([2, 3, 4, 5]);
      },
      { timeout: 30_000, interval: 200 },
    );
    expect(await count('available_kmod')).toBe(3_000);
    expect(await count('kmod_alias')).toBe(6_000);
    expect(await side.database.query('SELECT prefix FROM kmod_alias WHERE pattern = $1', ['pci:v00005*'])).toEqual([
      { prefix: 'pci:v00005' },
    ]);
    expect(
      await side.database.query(
        'SELECT d.driver, k.name, d.names FROM device_driver d JOIN kmod k ON k.id = d.kmod_id',
      ),
    ).toEqual([{ driver: 'e1000e', name: 'e1000e', names: ['eth0'] }]);
    expect(
      await side.database.query('SELECT k.name, b.rung, b.line FROM config_block b JOIN kmod k ON k.id = b.kmod_id'),
    ).toEqual([{ name: 'floppy', rung: 2, line: 3 }]);
    expect(
      await side.database.query(
        `SELECT summary -> 'modulesDisabled' AS m, summary -> 'secureBoot' AS s FROM config_set`,
      ),
    ).toEqual([{ m: false, s: null }]);
    expect(await count('host_parameters')).toBe(1);
  });

  it('tells events once: as the host told them, or as two inventories show', async () => {
    const agent = await side.host();
    const { session } = await connect(agent, loadedFacet('a'));
    session.whole(loadedFacet('a'));
    await becomes(agent, loadedFacet('a'));
    // The first inventory is no news.
    expect(await events(agent)).toEqual([]);
    const actionId = '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11';
    const told = [
      { kmod: 'b', kind: 1 as const, ageMs: 5, actionId, source: 'uevent' },
      { kmod: 'c', kind: 1 as const, ageMs: 4, actionId: '', source: 'uevent' },
      { kmod: 'c', kind: 2 as const, ageMs: 3, actionId: '', source: 'uevent' },
    ];
    session.send({ $case: 'kmodEvents', value: { events: told, lost: false } });
    const second = loadedFacet('b', 'd');
    session.whole(second);
    await becomes(agent, second);
    expect(await events(agent)).toEqual([
      { name: 'b', kind: 1, source: 'uevent', actionId },
      { name: 'c', kind: 1, source: 'uevent', actionId: null },
      { name: 'c', kind: 2, source: 'uevent', actionId: null },
      { name: 'd', kind: 1, source: 'inventory', actionId: null },
      { name: 'a', kind: 2, source: 'inventory', actionId: null },
    ]);
    const partitions = await side.database.query<{ n: number }>('SELECT count(*) AS n FROM kmod_event_default');
    expect(partitions).toEqual([{ n: 0 }]);
  });

  it.each([
    ['was made', true],
    ['was not made', false],
  ])('tells events once although the answer to a COMMIT that %s was lost', async (_name, made) => {
    const agent = await side.host();
    const { session } = await connect(agent, loadedFacet('a'));
    session.whole(loadedFacet('a'));
    await becomes(agent, loadedFacet('a'));
    const { database } = side;
    const tx = database.tx.bind(database);
    let losses = 0;
    vi.spyOn(database, 'tx').mockImplementation(async (isolation, work) => {
      let flushed = false;
      const lost = new DatabaseUnavailableError(new Error('the line is cut'));
      const result = await tx(isolation, async (sql) => {
        const done = await work({
          query: (text, params) => {
            flushed ||= text.includes('INSERT INTO kmod_event');
            return sql.query(text, params);
          },
        });
        if (flushed && !made && losses++ === 0) throw lost;
        return done;
      });
      if (flushed && made && losses++ === 0) throw lost;
      return result;
    });
    const told = { kmod: 'b', kind: 1 as const, ageMs: 5, actionId: '', source: 'uevent' };
    session.send({ $case: 'kmodEvents', value: { events: [told], lost: false } });
    session.whole(loadedFacet('b'));
    await becomes(agent, loadedFacet('b'));
    const last = loadedFacet('c');
    session.whole(last);
    await becomes(agent, last);
    expect(losses).toBeGreaterThan(0);
    expect((await events(agent)).map((event) => Object.values(event).slice(0, 2).join(' '))).toEqual([
      'b 1',
      'a 2',
      'c 1',
      'b 2',
    ]);
    vi.restoreAllMocks();
  });

  it('sees what happened while a host was away', async () => {
    const agent = await side.host();
    const before = await connect(agent, loadedFacet('a'));
    before.session.whole(loadedFacet('a'));
    await becomes(agent, loadedFacet('a'));
    await before.session.drop();
    await comesTrue(async () =>
      expect(await coverage(agent)).toMatchObject({ coverage: 'silent', hex: loadedFacet('a').digest.toString('hex') }),
    );
    const after = await connect(agent, loadedFacet('a', 'evil'));
    after.session.whole(loadedFacet('a', 'evil'));
    await becomes(agent, loadedFacet('a', 'evil'));
    expect(await events(agent)).toEqual([{ name: 'evil', kind: 1, source: 'inventory', actionId: null }]);
  });

  it('calls a facet stale when its observer hangs, and fresh again when it does not', async () => {
    const agent = await side.host();
    const facet = loadedFacet('a');
    const { session } = await connect(agent, facet);
    session.whole(facet);
    await becomes(agent, facet);
    // The host lives, and says each time that it looked long ago.
    const hang = vi.waitFor(
      async () => {
        session.heartbeat([statusOf(facet, 60_000)]);
        expect(await coverage(agent)).toMatchObject({ coverage: 'stale', reason: 'not observed lately' });
      },
      { timeout: 30_000, interval: 300 },
    );
    await hang;
    session.heartbeat([statusOf(facet)]);
    await becomes(agent, facet);
  });

  it('says why a host cannot, and that is not an empty list', async () => {
    const agent = await side.host();
    const { session } = await connect(agent);
    session.heartbeat([
      {
        facet: Facet.FACET_LOADED,
        digest: Buffer.alloc(0),
        observedAgeMs: 0,
        incapableReason: 'this kernel has no loadable modules',
      },
    ]);
    await comesTrue(async () =>
      expect(await coverage(agent)).toEqual({
        coverage: 'incapable',
        hex: null,
        reason: 'this kernel has no loadable modules',
      }),
    );
  });

  it('costs no writes for idle hosts', async () => {
    const agent = await side.host();
    const facet = loadedFacet('a');
    const { session } = await connect(agent, facet);
    session.whole(facet);
    await becomes(agent, facet);
    const written = async (): Promise<object[]> =>
      side.database.query(
        `SELECT 'facet' AS what, xmin::text FROM host_inventory UNION ALL SELECT 'session', xmin::text FROM host_session UNION ALL SELECT 'host', xmin::text FROM host ORDER BY 1, 2`,
      );
    const before = await written();
    for (let beats = 0; beats < 20; beats++) {
      session.heartbeat([statusOf(facet, 10)]);
      await session.expect('heartbeatReply');
    }
    expect(await written()).toEqual(before);
    await becomes(agent, facet);
  });
});
