import { randomUUID } from 'node:crypto';
import { UNSIGNED, Verb } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReplicaService } from '../../presence/replica.service.ts';
import { AgentSide } from '../../testing/agent-side.ts';
import { comesTrue } from '../../testing/comes-true.ts';
import { startTestPostgres, type TestPostgres } from '../../testing/postgres.ts';
import { loadedFacet, statusOf, type TestAgent, type TestSession } from '../../testing/test-agent.ts';
import { AgentGateway } from '../agent-gateway.ts';
import { SessionRegistry } from '../session-registry.service.ts';
import { SessionMover } from './session-mover.service.ts';

const CONFIG = { movePerSecond: 50, moveTolerancePercent: 10 };

interface Held {
  readonly agent: TestAgent;
  readonly session: TestSession;
}

describe('SessionMover', () => {
  let postgres: TestPostgres;
  let full: AgentSide;
  let empty: AgentSide;
  const held: Held[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    const { url } = await postgres.createDatabase();
    full = await AgentSide.start(url, { config: CONFIG });
    empty = await AgentSide.start(url, { config: CONFIG, stateDir: full.stateDir });
  });
  afterEach(async () => {
    await Promise.all(held.splice(0).map(({ session }) => session.drop()));
    await empty.stop();
    await full.stop();
  });

  async function hosts(count: number): Promise<Held[]> {
    for (let number = 0; number < count; number += 1) {
      const agent = await full.host(`web-${number}`);
      const { session } = await agent.connect(full.sessionAddress, [statusOf(loadedFacet('floppy'))]);
      session.whole(loadedFacet('floppy'));
      held.push({ agent, session });
    }
    return [...held];
  }

  /** The empty replica has told of itself, and is no newcomer any more. */
  async function settled(): Promise<void> {
    const { id } = empty.app.get(ReplicaService);
    await comesTrue(async () => {
      const rows = await full.database.query(
        `UPDATE replica SET started_at = started_at - interval '1 minute' WHERE id = $1 AND sessions IS NOT NULL RETURNING 1`,
        [id],
      );
      expect(rows).toHaveLength(1);
    });
  }

  const decide = (): Promise<void> => full.app.get(SessionMover).decide();
  /** The look before which nothing is decided. */
  const look = async (): Promise<void> => {
    await decide();
    expect(here()).toHaveLength(held.length);
    await settled();
  };
  const here = (): string[] =>
    full.app
      .get(SessionRegistry)
      .all()
      .map(({ hostId }) => hostId);
  const isLive = async (agent: TestAgent): Promise<boolean> =>
    (
      await full.database.query<{ live: boolean }>('SELECT live FROM session_presence WHERE host_id = $1', [
        agent.hostId,
      ])
    )[0]?.live === true;

  it('asks those that have been here longest, as many as are too many, and no more', async () => {
    const all = await hosts(6);
    await look();
    await decide();
    for (const { session } of all.slice(0, 3)) {
      expect(await session.expect('reconnect')).toEqual({ reason: 'move', afterMs: 0 });
      expect(await session.ended).toBeNull();
    }
    await comesTrue(() => expect(here()).toEqual(all.slice(3).map(({ agent }) => agent.hostId)));
    // Three here and, as far as anybody knows, none there: but those who were asked are on their way.
    for (const { agent } of all.slice(0, 3))
      held.push({ agent, session: (await agent.connect(empty.sessionAddress)).session });
    expect(empty.app.get(SessionRegistry).count).toBe(3);
    await comesTrue(async () =>
      expect(await full.database.query('SELECT 1 FROM replica WHERE sessions = 3')).toHaveLength(2),
    );
    await decide();
    expect(here()).toHaveLength(3);
  });

  it('asks nobody while the other replica has only just begun', async () => {
    await hosts(8);
    await decide();
    await decide();
    expect(here()).toHaveLength(8);
  });

  it('shows a host that moves as connected all the while, with what it said; and where it is in the end', async () => {
    const [first] = await hosts(8);
    if (first === undefined) throw new Error('no host');
    const { agent, session } = first;
    const seen = async (): Promise<unknown> =>
      (await full.database.query('SELECT vouched FROM session_presence WHERE host_id = $1', [agent.hostId]))[0];
    const before = await seen();
    await look();
    await decide();
    await session.ended;
    await comesTrue(() => expect(here()).not.toContain(agent.hostId));
    expect(await isLive(agent)).toBe(true);
    expect(await seen()).toEqual(before);
    const { session: next } = await agent.connect(empty.sessionAddress);
    held.push({ agent, session: next });
    const rows = await full.database.query('SELECT 1 FROM host_session WHERE host_id = $1 AND replica_id = $2', [
      agent.hostId,
      empty.app.get(ReplicaService).id,
    ]);
    expect(rows).toHaveLength(1);
    expect(await isLive(agent)).toBe(true);
  });

  it('leaves hosts alone that have an action under way, and those that are quarantined', async () => {
    const all = await hosts(8);
    const [acting, quarantined, idle] = all;
    if (acting === undefined || quarantined === undefined || idle === undefined) throw new Error('no hosts');
    await full.database.query(
      `INSERT INTO action (id, host_id, verb, kmod, requested_by, request_digest, state, expires_at)
       VALUES ($1, $2, 1, 'floppy', 'test', '\\x00', 'started', now() + interval '1 minute')`,
      [randomUUID(), acting.agent.hostId],
    );
    await full.database.query(`UPDATE host SET quarantined_at = now(), quarantine_reason = 'test' WHERE id = $1`, [
      quarantined.agent.hostId,
    ]);
    full.app.get(SessionRegistry).quarantine(quarantined.agent.hostId);
    await look();
    await decide();
    const stay = [acting, quarantined, ...all.slice(6)].map(({ agent }) => agent.hostId);
    await comesTrue(() => expect(here()).toEqual(stay));
    expect(await idle.session.expect('reconnect')).toMatchObject({ reason: 'move' });
    await decide();
    expect(here()).toEqual(stay);
  });

  it('sends no action to a host that is held back, and everything else', async () => {
    const [{ agent, session } = {} as Held] = await hosts(1);
    const gateway = full.app.get(AgentGateway);
    const [mine] = full.app.get(SessionRegistry).all();
    const request = {
      ...UNSIGNED,
      actionId: randomUUID(),
      hostId: agent.hostId,
      verb: Verb.VERB_LOAD,
      kmod: 'floppy',
      parameters: [],
      dryRun: false,
      expiresAtMs: 0,
      confirmWindowSeconds: 0,
      overrides: [],
    };
    const send = (): string => gateway.send(agent.hostId, { $case: 'actionRequest', value: request });
    mine?.holdBack(true);
    expect(send()).toBe('not_here');
    expect(gateway.send(agent.hostId, { $case: 'actionCancel', value: { actionId: request.actionId } })).toBe('sent');
    mine?.holdBack(false);
    expect(send()).toBe('sent');
    expect(await session.expect('actionRequest')).toMatchObject({ actionId: request.actionId });
  });

  it('does not ask again at once those that came back', async () => {
    const all = await hosts(8);
    await look();
    await decide();
    await Promise.all(all.slice(0, 4).map(({ session }) => session.ended));
    for (const { agent } of all.slice(0, 4))
      held.push({ agent, session: (await agent.connect(full.sessionAddress)).session });
    expect(here()).toHaveLength(8);
    await decide();
    expect(here()).toHaveLength(8);
  });
});
