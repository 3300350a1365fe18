import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Bus } from '../bus/bus.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { loadedFacet, statusOf, type TestAgent, type TestSession } from '../testing/test-agent.ts';
import { AgentGateway } from './agent-gateway.ts';

interface Row {
  readonly sessionNo: number;
  readonly live: boolean;
  readonly replicaId: string;
}

describe('two connections of one host, over three replicas', () => {
  let postgres: TestPostgres;
  let sides: [AgentSide, AgentSide, AgentSide];
  const open: TestSession[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    const { url } = await postgres.createDatabase();
    const first = await AgentSide.start(url);
    const more = () => AgentSide.start(url, { stateDir: first.stateDir });
    sides = [first, await more(), await more()];
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(open.splice(0).map((session) => session.drop()));
    for (const side of sides.toReversed()) await side.stop();
  });

  const replicaOf = (side: AgentSide): string => side.app.get(ReplicaService).id;
  const holds = (side: AgentSide, agent: TestAgent): number | undefined =>
    side.app.get(AgentGateway).connectedHost(agent.hostId)?.sessionNo;
  const row = async (agent: TestAgent): Promise<Row | undefined> =>
    (
      await sides[0].database.query<Row>(
        'SELECT session_no AS "sessionNo", live, replica_id AS "replicaId" FROM session_presence WHERE host_id = $1',
        [agent.hostId],
      )
    )[0];
  async function connect(agent: TestAgent, side: AgentSide): Promise<TestSession & { sessionNo?: number }> {
    const { session, welcome } = await agent.connect(side.sessionAddress, [statusOf(loadedFacet('floppy'))]);
    open.push(session);
    return Object.assign(session, { sessionNo: welcome.sessionNo });
  }

  it('numbers go up whichever replica gives them, and the last one stands', async () => {
    const agent = await sides[0].host();
    const numbers: number[] = [];
    for (const side of [...sides, ...sides]) numbers.push((await connect(agent, side)).sessionNo ?? 0);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(new Set(numbers).size).toBe(6);
    expect(await row(agent)).toEqual({ sessionNo: numbers.at(-1), live: true, replicaId: replicaOf(sides[2]) });
    for (const side of sides.slice(0, 2)) await comesTrue(() => expect(holds(side, agent)).toBeUndefined());
    expect(holds(sides[2], agent)).toBe(numbers.at(-1));
  });

  it('many at once on all three: one is left, the newest, and no deadlock', async () => {
    const agent = await sides[0].host();
    const errors = vi.spyOn(Logger.prototype, 'error');
    const sessions = Array.from({ length: 15 }, (_, index) => {
      const session = agent.dial((sides[index % 3] ?? sides[0]).sessionAddress);
      session.hello([]);
      open.push(session);
      return session;
    });
    await Promise.all(sessions.map((session) => session.expect('welcome').catch(() => undefined)));
    await comesTrue(async () => {
      const stands = await row(agent);
      expect(stands?.live).toBe(true);
      const held = sides.filter((side) => holds(side, agent) !== undefined);
      expect(held.map((side) => [replicaOf(side), holds(side, agent)])).toEqual([
        [stands?.replicaId, stands?.sessionNo],
      ]);
    });
    expect(errors.mock.calls).toEqual([]);
  });

  it('an older one that is told nothing changes nothing: neither its words nor its late end', async () => {
    const agent = await sides[0].host();
    const older = await connect(agent, sides[0]);
    // The word that a newer one is there is lost.
    vi.spyOn(sides[1].app.get(Bus), 'publish').mockResolvedValue();
    const newer = await connect(agent, sides[1]);
    expect(holds(sides[0], agent)).toBe(older.sessionNo);
    older.heartbeat([statusOf(loadedFacet('floppy'))]);
    await older.expect('heartbeatReply');
    expect(await row(agent)).toMatchObject({ sessionNo: newer.sessionNo, replicaId: replicaOf(sides[1]) });
    await older.drop();
    await comesTrue(() => expect(holds(sides[0], agent)).toBeUndefined());
    expect(await row(agent)).toEqual({ sessionNo: newer.sessionNo, live: true, replicaId: replicaOf(sides[1]) });
  });

  it('a host that has rebooted is let in elsewhere once its old connection does not answer there', async () => {
    const agent = await sides[0].host();
    const before = await connect(agent, sides[0]);
    before.answersPings = false;
    const after = await connect(agent.clone(), sides[2]);
    expect(await row(agent)).toEqual({ sessionNo: after.sessionNo, live: true, replicaId: replicaOf(sides[2]) });
    expect(await before.expect('reconnect')).toMatchObject({ reason: 'superseded' });
  });
});
