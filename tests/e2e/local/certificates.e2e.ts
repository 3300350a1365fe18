import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Agent, hostsOf } from '../support/agents-in-process.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { IdentityStatus } from '@modfleet/proto';
import { AgentSide } from '../../../services/server/src/testing/agent-side.ts';
import { startTestPostgres, type TestPostgres } from '../../../services/server/src/testing/postgres.ts';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** Clocks by which the certificate of a server that has just started does not count. */
const ASKS: ReadonlySet<string> = new Set(['at 1970', 'an hour behind', 'ten years ahead']);

/** What a host's clock says, given the time. */
const CLOCKS: Readonly<Record<string, (nowMs: number) => number>> = {
  right: (nowMs) => nowMs,
  'at 1970': () => 0,
  'an hour behind': (nowMs) => nowMs - HOUR_MS,
  'an hour ahead': (nowMs) => nowMs + HOUR_MS,
  'ten years ahead': (nowMs) => nowMs + 10 * YEAR_MS,
};

/**
 * The real agent's identity, session and renewal against the real server, over TLS and on PostgreSQL; only clocks are set. TLS itself goes by this
 * machine's clock, so what is long ago begins in the past and ends now.
 */
describe('certificates', () => {
  let postgres: TestPostgres;
  let databaseUrl: string;
  const sides: AgentSide[] = [];
  const agents: Agent[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
    databaseUrl = (await postgres.createDatabase()).url;
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.stop()));
    await stopServers();
  });
  afterAll(async () => {
    rmSync(stateDir, { recursive: true, force: true });
    await postgres.close();
  });

  const stateDir = mkdtempSync(path.join(tmpdir(), 'modfleet-certificates-'));
  /** The server, whose clock is off by so much; the CA stays the same. */
  async function server(offMs = 0): Promise<AgentSide> {
    const side = await AgentSide.start(databaseUrl, {
      clock: () => new Date(Date.now() + offMs),
      stateDir,
    });
    sides.push(side);
    return side;
  }
  async function stopServers(): Promise<void> {
    for (const side of sides.splice(0)) await side.stop();
  }
  const hosts = async (side: AgentSide, count: number, wallClock?: (nowMs: number) => number): Promise<Agent[]> => {
    const made = await hostsOf(side, count, wallClock);
    agents.push(...made);
    return made;
  };
  const ids = async (side: AgentSide): Promise<string[]> =>
    (await side.database.query<{ id: string }>('SELECT id FROM host WHERE retired_at IS NULL ORDER BY id')).map(
      ({ id }) => id,
    );

  it('a server that was away for 48 h has every host back without a hand, whatever their clocks say', async () => {
    const before = await server(-48 * HOUR_MS);
    const fleet: Agent[] = [];
    for (const clock of Object.values(CLOCKS)) fleet.push(...(await hosts(before, 4, clock)));
    const known = await ids(before);
    for (const agent of fleet) expect(agent.certificateEndsMs()).toBeLessThan(Date.now() - 23 * HOUR_MS);
    await stopServers();
    const back = await server();
    await Promise.all(fleet.map((agent) => agent.connectTo(back)));
    expect(await ids(back)).toEqual(known);
    for (const agent of fleet) {
      expect(agent.certificateEndsMs()).toBeGreaterThan(Date.now() + 23 * HOUR_MS);
      expect(agent.said()).toContain("this host's certificate was renewed");
    }
    const live = await back.database.query(
      'SELECT host_id FROM session_presence WHERE live AND host_id = ANY ($1::uuid[])',
      [fleet.map((agent) => agent.hostId)],
    );
    expect(live).toHaveLength(fleet.length);
  });

  it.each(Object.entries(CLOCKS))(
    'a host whose clock is %s has its session with a good certificate',
    async (what, clock) => {
      const side = await server();
      const [agent] = await hosts(side, 1, clock);
      await agent?.connectTo(side);
      expect(agent?.hostId).toBe((await ids(side)).find((id) => id === agent?.hostId));
      // The others are right enough for the dates of a server's certificate, and nobody has to be asked.
      expect(agent?.said().includes("this machine's clock is")).toBe(ASKS.has(what));
    },
  );

  it.each([
    ['an hour ahead', HOUR_MS],
    ['an hour behind', -HOUR_MS],
    ['a year behind', -YEAR_MS],
    ['ten years ahead', 10 * YEAR_MS],
  ])('a server whose clock was %s, and is set right, loses no host', async (_what, offMs) => {
    const right = await server();
    const fleet = await hosts(right, 3);
    const wrong = await server(offMs);
    // While it is wrong, hosts renew there, and have their sessions.
    for (const agent of fleet) {
      expect(await agent.renewAt(wrong)).toBe(IdentityStatus.IDENTITY_STATUS_VALID);
      expect(Math.abs(agent.certificateEndsMs() - (Date.now() + offMs + 24 * HOUR_MS))).toBeLessThan(10 * 60_000);
    }
    await stopServers();
    const corrected = await server();
    await Promise.all(fleet.map((agent) => agent.connectTo(corrected)));
    for (const agent of fleet)
      expect(Math.abs(agent.certificateEndsMs() - (Date.now() + 24 * HOUR_MS))).toBeLessThan(2 * HOUR_MS);
  });

  it('a host that was deleted and returns is told so, and does not make itself another one', async () => {
    const side = await server();
    const [agent] = await hosts(side, 1);
    await agent?.connectTo(side);
    const known = await ids(side);
    await side.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [agent?.hostId]);
    await agent?.hears(/this host was retired on the server, and ids are never reused/);
    expect(await ids(side)).toEqual(known.filter((id) => id !== agent?.hostId));
  });

  it('a revoked host says so, and does not hammer', async () => {
    const side = await server();
    const [agent] = await hosts(side, 1);
    await agent?.connectTo(side);
    await side.database.query(`UPDATE host SET revoked_at = now() WHERE id = $1`, [agent?.hostId]);
    await agent?.hears(/this host's certificate was revoked/);
    await agent?.hears(/this host was revoked/);
    expect(agent?.waits()).toBeGreaterThan(4 * 60_000);
  });
});
