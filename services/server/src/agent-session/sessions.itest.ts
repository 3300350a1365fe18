import { status } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import { Facet, UNSIGNED } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentSide } from '../testing/agent-side.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { loadedFacet, statusOf, TestAgent, type TestSession } from '../testing/test-agent.ts';
import { AgentGateway } from './agent-gateway.ts';
import { SessionRegistry } from './session-registry.service.ts';
import { comesTrue } from '../testing/comes-true.ts';

interface Row {
  readonly sessionNo: number;
  readonly live: boolean;
  readonly bootId: string;
}

/** Servers start and stop here; on a busy machine a connection takes longer than a caller of the API should wait. */
const PATIENT = { dbConnectTimeoutMs: 30_000 };

describe('sessions', () => {
  let postgres: TestPostgres;
  let side: AgentSide;
  const open: TestSession[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    side = await AgentSide.start((await postgres.createDatabase()).url, { config: PATIENT });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.drop()));
    await side.stop();
  });

  const connect = async (agent: TestAgent, to: AgentSide = side): ReturnType<TestAgent['connect']> => {
    const connected = await agent.connect(to.sessionAddress);
    open.push(connected.session);
    return connected;
  };
  const row = async (agent: TestAgent): Promise<Row | undefined> =>
    (
      await side.database.query<Row>(
        `SELECT session_no AS "sessionNo", live, boot_id AS "bootId" FROM session_presence WHERE host_id = $1`,
        [agent.hostId],
      )
    )[0];
  const quarantine = async (agent: TestAgent): Promise<string | null> =>
    (
      await side.database.query<{ reason: string | null }>(
        'SELECT quarantine_reason AS reason FROM host WHERE id = $1',
        [agent.hostId],
      )
    )[0]?.reason ?? null;

  it('welcomes a host with the server time, intervals and its session number, and knows when it is gone', async () => {
    const agent = await side.host();
    const gateway = side.app.get(AgentGateway);
    const ended = new Promise((resolve) => gateway.register({ onDisconnected: resolve }));
    const { session, welcome } = await connect(agent);
    expect(welcome).toMatchObject({
      heartbeatIntervalMs: 30_000,
      pollIntervalMs: 2_000,
      facetIntervalMs: 60_000,
      quarantined: false,
      wanted: [],
    });
    expect(Math.abs(welcome.serverTimeMs - Date.now())).toBeLessThan(5_000);
    expect(await row(agent)).toMatchObject({ sessionNo: welcome.sessionNo, live: true, bootId: agent.bootId });
    await comesTrue(() => expect(gateway.isConnectedHere(agent.hostId)).toBe(true));
    await session.drop();
    await ended;
    await comesTrue(async () => expect(await row(agent)).toMatchObject({ live: false }));
    expect(gateway.send(agent.hostId, { $case: 'ping', value: { token: 1 } })).toBe('not_here');
  });

  it('turns away who shows no certificate, another CA’s, or a key that the host does not have', async () => {
    const agent = await side.host();
    const stranger = await TestAgent.create('stranger');
    const other = await AgentSide.start((await postgres.createDatabase()).url, { config: PATIENT });
    try {
      await stranger.enroll(other, await other.joinToken());
      stranger.caPem = side.ca.certificatePem;
      expect(await stranger.dial(side.sessionAddress).ended).toMatchObject({ code: status.UNAVAILABLE });
    } finally {
      await other.stop();
    }
    await side.database.query(`UPDATE host SET key_fingerprint = '\\x00' WHERE id = $1`, [agent.hostId]);
    expect(await agent.dial(side.sessionAddress).ended).toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it('turns away a retired host, and ends its session at once', async () => {
    const agent = await side.host();
    const { session } = await connect(agent);
    await side.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [agent.hostId]);
    side.app.get(SessionRegistry).end(agent.hostId, 'retired');
    expect(await session.ended).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(await agent.dial(side.sessionAddress).ended).toMatchObject({ code: status.PERMISSION_DENIED });
  });

  it('closes a stream that does not begin with Hello', async () => {
    const session = (await side.host()).dial(side.sessionAddress);
    session.heartbeat([]);
    expect(await session.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('answers heartbeats with their boot time', async () => {
    const { session } = await connect(await side.host());
    session.heartbeat([]);
    expect(await session.expect('heartbeatReply')).toMatchObject({ boottimeMs: 1_000 });
  });

  it('lets the newer connection of one boot win; the late end of the older changes nothing', async () => {
    const agent = await side.host();
    const first = await connect(agent);
    first.session.answersPings = false;
    const second = await connect(agent);
    expect(second.welcome.sessionNo).toBeGreaterThan(first.welcome.sessionNo);
    expect(await first.session.expect('reconnect')).toMatchObject({ reason: 'superseded' });
    await first.session.ended;
    second.session.heartbeat([]);
    await second.session.expect('heartbeatReply');
    expect(await row(agent)).toMatchObject({ sessionNo: second.welcome.sessionNo, live: true });
    expect(side.app.get(AgentGateway).connectedHost(agent.hostId)?.sessionNo).toBe(second.welcome.sessionNo);
    expect(await quarantine(agent)).toBeNull();
  });

  it('a host that comes and goes many times at once finds no deadlock: each connection ends well, the last one stays', async () => {
    const agent = await side.host();
    // A deadlock (40P01) is an error in the log; a busy database only sends the host away for a moment.
    const errors = vi.spyOn(Logger.prototype, 'error');
    for (let round = 0; round < 12; round += 1) {
      const sessions = Array.from({ length: 8 }, () => agent.dial(side.sessionAddress));
      for (const session of sessions) session.hello([statusOf(loadedFacet('floppy'))]);
      await Promise.all(sessions.slice(0, 7).map((session) => session.expect('welcome').catch(() => undefined)));
      for (const session of sessions) await session.drop();
      await Promise.all(sessions.map((session) => session.ended));
    }
    expect(errors.mock.calls).toEqual([]);
    errors.mockRestore();
    expect((await connect(agent)).welcome.sessionNo).toBeGreaterThan(0);
    expect(await quarantine(agent)).toBeNull();
    // A hundred TLS handshakes on a busy machine.
  }, 60_000);

  it('lets a rebooted host in when its old connection does not answer', async () => {
    const agent = await side.host();
    const before = await connect(agent);
    before.session.answersPings = false;
    const rebooted = agent.clone();
    const after = await connect(rebooted);
    expect(after.welcome.quarantined).toBe(false);
    expect(await row(agent)).toMatchObject({ sessionNo: after.welcome.sessionNo, bootId: rebooted.bootId });
    expect(await quarantine(agent)).toBeNull();
  });

  it('quarantines both when two machines answer with one identity', async () => {
    const agent = await side.host();
    const first = await connect(agent);
    const second = agent.clone().dial(side.sessionAddress);
    second.hello([]);
    expect(await second.expect('reconnect')).toMatchObject({ reason: 'quarantined' });
    expect(await second.ended).toMatchObject({ code: status.PERMISSION_DENIED });
    expect(await quarantine(agent)).toMatch(
      /two machines use this identity: 127\.0\.0\.1:\d+ .* and 127\.0\.0\.1:\d+ /,
    );
    const gateway = side.app.get(AgentGateway);
    await comesTrue(() => expect(gateway.connectedHost(agent.hostId)?.quarantined).toBe(true));
    const request = {
      actionId: agent.hostId,
      hostId: agent.hostId,
      verb: 1 as const,
      kmod: 'x',
      parameters: [],
      dryRun: false,
      expiresAtMs: 1,
      confirmWindowSeconds: 0,
      overrides: [],
      ...UNSIGNED,
    };
    expect(gateway.send(agent.hostId, { $case: 'actionRequest', value: request })).toBe('not_here');
    // It still reports, and hears that it is quarantined when it comes again.
    first.session.heartbeat([]);
    await first.session.expect('heartbeatReply');
    expect((await connect(agent)).welcome.quarantined).toBe(true);
    expect(
      await side.database.query(`SELECT DISTINCT coverage FROM facet_coverage WHERE host_id = $1`, [agent.hostId]),
    ).toEqual([{ coverage: 'incapable' }]);
  });

  it('gives what hosts say to the features, in order', async () => {
    const gateway = side.app.get(AgentGateway);
    const heard: string[] = [];
    gateway.register({
      onConnected: async () => void heard.push('connected'),
      onActionProgress: async (_host, progress) => void heard.push(`progress ${progress.actionId}`),
      onQueryAnswer: () => {
        heard.push('answer');
        throw new Error('a feature that fails');
      },
    });
    const { session } = await connect(await side.host());
    session.send({
      $case: 'actionProgress',
      value: { actionId: 'a', phase: 1, verdict: undefined, confirmDeadlineMs: 0 },
    });
    session.send({ $case: 'queryAnswer', value: { queryId: 'q', kmods: [], error: '', health: undefined } });
    session.send({
      $case: 'actionProgress',
      value: { actionId: 'b', phase: 2, verdict: undefined, confirmDeadlineMs: 0 },
    });
    await comesTrue(() => expect(heard).toEqual(['connected', 'progress a', 'answer', 'progress b']));
  });

  it('tells hosts to move when the server stops, and leaves no session open', async () => {
    const agent = await side.host();
    const { session } = await connect(agent);
    const stopping = side.stop();
    expect(await session.expect('reconnect')).toMatchObject({ reason: 'shutdown' });
    expect(await session.ended).toBeNull();
    await stopping;
    side = await AgentSide.start((await postgres.createDatabase()).url, { config: PATIENT });
  });

  describe('across replicas', () => {
    let other: AgentSide;
    let databaseUrl: string;
    beforeEach(async () => {
      await side.stop();
      databaseUrl = (await postgres.createDatabase()).url;
      side = await AgentSide.start(databaseUrl, { config: PATIENT });
      other = await AgentSide.start(databaseUrl, { stateDir: side.stateDir, config: PATIENT });
    });
    afterEach(() => other.stop());

    it('the newer connection wins on the other replica too', async () => {
      const agent = await side.host();
      const first = await connect(agent);
      const second = await connect(agent, other);
      expect(second.welcome.sessionNo).toBeGreaterThan(first.welcome.sessionNo);
      expect(await first.session.expect('reconnect')).toMatchObject({ reason: 'superseded' });
      await comesTrue(() => expect(side.app.get(AgentGateway).isConnectedHere(agent.hostId)).toBe(false));
      expect(await row(agent)).toMatchObject({ sessionNo: second.welcome.sessionNo, live: true });
    });

    it('a clone is found out across replicas', async () => {
      const agent = await side.host();
      await connect(agent);
      const second = agent.clone().dial(other.sessionAddress);
      second.hello([]);
      expect(await second.expect('reconnect')).toMatchObject({ reason: 'quarantined' });
      await second.ended;
      await comesTrue(() => expect(side.app.get(AgentGateway).connectedHost(agent.hostId)?.quarantined).toBe(true));
    });

    it('vouches for what the host said moments ago all the while that it comes up elsewhere', async () => {
      const agent = await side.host();
      const facet = loadedFacet('floppy');
      const coverage = async (): Promise<unknown> =>
        (
          await side.database.query<{ coverage: string }>(
            `SELECT coverage FROM facet_coverage WHERE host_id = $1 AND facet = ${Facet.FACET_LOADED}`,
            [agent.hostId],
          )
        )[0]?.coverage;
      const first = await agent.connect(side.sessionAddress, [statusOf(facet)]);
      open.push(first.session);
      first.session.whole(facet);
      await comesTrue(async () => expect(await coverage()).toBe('fresh'));
      const seen = new Set<unknown>();
      const second = agent.connect(other.sessionAddress, [statusOf(facet)]);
      const done = second.then(() => true);
      while (!(await Promise.race([done, coverage().then((each) => void seen.add(each))])));
      open.push((await second).session);
      for (let look = 0; look < 20; look += 1) seen.add(await coverage());
      expect([...seen]).toEqual(['fresh']);
      // After a reboot nothing of before stands.
      const rebooted = agent.clone();
      (await second).session.answersPings = false;
      open.push((await rebooted.connect(side.sessionAddress, [])).session);
      await comesTrue(async () => expect(await coverage()).toBe('stale'));
    });

    it('an older replica’s late word of a host does not overwrite the newer one’s', async () => {
      const agent = await side.host();
      const old = loadedFacet('old');
      const young = loadedFacet('young');
      const first = await agent.connect(side.sessionAddress, [statusOf(old)]);
      open.push(first.session);
      first.session.whole(old);
      const second = await agent.connect(other.sessionAddress, [statusOf(young)]);
      open.push(second.session);
      second.session.whole(young);
      const digest = async (): Promise<unknown> =>
        (
          await side.database.query<{ digest: Buffer }>(
            'SELECT l.digest FROM host_inventory i JOIN loaded_set l ON l.id = i.loaded WHERE i.host_id = $1',
            [agent.hostId],
          )
        )[0]?.digest;
      await comesTrue(async () => expect(await digest()).toEqual(young.digest));
      await first.session.ended;
      expect(await digest()).toEqual(young.digest);
    });
  });
});
