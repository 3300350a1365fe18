import { status } from '@grpc/grpc-js';
import { IdentityStatus } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Bus } from '../bus/bus.ts';
import { sightingsOf } from '../quarantine/quarantine.queries.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { TestAgent, type TestSession } from '../testing/test-agent.ts';
import { AgentGateway } from './agent-gateway.ts';
import { SessionRegistry } from './session-registry.service.ts';
import { SessionSweeper } from './session-sweeper.service.ts';

/** What a host's access ends by, on the replica that holds its stream. */
describe('access that ends', () => {
  let postgres: TestPostgres;
  let side: AgentSide;
  let other: AgentSide;
  let nowMs: number;
  const open: TestSession[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    nowMs = Date.now();
    const { url } = await postgres.createDatabase();
    side = await AgentSide.start(url, { clock: () => new Date(nowMs) });
    other = await AgentSide.start(url, { stateDir: side.stateDir });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.drop()));
    await other.stop();
    await side.stop();
  });

  const connect = async (agent: TestAgent, to: AgentSide): Promise<TestSession> => {
    const { session } = await agent.connect(to.sessionAddress);
    open.push(session);
    return session;
  };
  const set = (agent: TestAgent, what: string): Promise<unknown> =>
    side.database.query(`UPDATE host SET ${what} WHERE id = $1`, [agent.hostId]);
  const refusedAt = async (agent: TestAgent, to: AgentSide): Promise<string> => {
    const ended = await agent.dial(to.sessionAddress).ended;
    expect(ended?.code).toBe(status.PERMISSION_DENIED);
    return ended?.details ?? '';
  };

  it('a revocation told on one replica ends the stream on the other at once; returns and renewals are refused, and say why', async () => {
    const agent = await side.host();
    const session = await connect(agent, other);
    await set(agent, `revoked_at = now(), revoke_reason = 'stolen'`);
    await side.app.get(SessionRegistry).announceRevocation(agent.hostId);
    expect(await session.ended).toMatchObject({ code: status.PERMISSION_DENIED, details: 'this host was revoked' });
    expect(await refusedAt(agent, side)).toBe('this host was revoked');
    expect(await refusedAt(agent, other)).toBe('this host was revoked');
    const renewal = await agent.renew(other.identityAddress);
    expect(renewal).toMatchObject({ status: IdentityStatus.IDENTITY_STATUS_REVOKED, certificate: Buffer.alloc(0) });
  });

  it.each(['revoked_at', 'retired_at'])(
    'a lost message costs time only (%s): every stream ends within 5 s',
    async (column) => {
      const agents = [await side.host('a'), await side.host('b')];
      const sessions = [await connect(agents[0] as TestAgent, side), await connect(agents[1] as TestAgent, other)];
      for (const replica of [side, other]) Object.assign(replica.app.get(Bus), { publish: () => Promise.resolve() });
      const begun = performance.now();
      for (const agent of agents) await set(agent, `${column} = now()`);
      for (const session of sessions) expect(await session.ended).toMatchObject({ code: status.PERMISSION_DENIED });
      expect(performance.now() - begun).toBeLessThan(5_000);
    },
  );

  it('a quarantine or a release that nobody was told of is found as well', async () => {
    const agent = await side.host();
    const session = await connect(agent, side);
    await set(agent, `quarantined_at = now(), quarantine_reason = 'test'`);
    await side.app.get(SessionSweeper).sweep();
    expect(side.app.get(AgentGateway).connectedHost(agent.hostId)?.quarantined).toBe(true);
    await set(agent, 'quarantined_at = NULL');
    await side.app.get(SessionSweeper).sweep();
    expect(await session.expect('reconnect')).toMatchObject({ reason: 'released' });
    expect((await agent.connect(side.sessionAddress)).welcome.quarantined).toBe(false);
  });

  it('a session does not outlive its certificate by more than five minutes', async () => {
    const agent = await side.host();
    const session = await connect(agent, side);
    nowMs += 24 * 3_600_000 + 4 * 60_000;
    await side.app.get(SessionSweeper).sweep();
    session.heartbeat([]);
    await session.expect('heartbeatReply');
    nowMs += 2 * 60_000;
    await side.app.get(SessionSweeper).sweep();
    expect(await session.ended).toMatchObject({ details: expect.stringContaining('ask for a renewal') as string });
  });

  it('an older certificate than was used last opens no session; asked for a renewal the server decides', async () => {
    const agent = await side.host('gone-on');
    const copy = agent.clone();
    await agent.renew(side.identityAddress);
    const session = await connect(agent, side);
    expect(await refusedAt(copy, other)).toMatch('a later certificate of this host is in use');
    // A Hello that came late is no clone: nothing is concluded from it.
    session.heartbeat([]);
    await session.expect('heartbeatReply');
    expect(side.app.get(AgentGateway).connectedHost(agent.hostId)?.quarantined).toBe(false);
    // Over a renewal it is one, on either replica.
    expect((await copy.renew(other.identityAddress)).status).toBe(IdentityStatus.IDENTITY_STATUS_QUARANTINED);
    await comesTrue(() => expect(side.app.get(AgentGateway).connectedHost(agent.hostId)?.quarantined).toBe(true));
    const seen = await sightingsOf(side.database, agent.hostId);
    expect(seen).toMatchObject([
      { bootId: agent.bootId, address: '127.0.0.1', counter: 2, how: 'session' },
      { bootId: copy.bootId, address: '127.0.0.1', counter: 1, how: 'renewal' },
    ]);
  });

  it('machines that come while a host is in quarantine are on record, too', async () => {
    const agent = await side.host();
    await connect(agent, side);
    const copy = agent.clone();
    const second = copy.dial(side.sessionAddress);
    second.hello([]);
    await second.ended;
    const seen = await sightingsOf(side.database, agent.hostId);
    expect(seen.map(({ bootId }) => bootId).toSorted()).toEqual([agent.bootId, copy.bootId].toSorted());
    expect(seen.map(({ how }) => how)).toEqual(['session', 'session']);
  });
});
