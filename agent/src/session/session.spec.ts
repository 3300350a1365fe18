import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ActionPhase, Facet, Outcome, UNSIGNED, Verb } from '@modfleet/proto';
import { FakeEngine, fakeResult } from './testing/fake-engine.ts';
import { FakeInventory, incapableSnapshot, loadedSnapshot } from './testing/fake-inventory.ts';
import type { MemoryServerEnd } from './memory-transport.ts';
import { nextOf, startSession, welcome } from './testing/session-fixture.ts';
import { wordsFor } from './session-end.ts';

const ACTION = {
  actionId: 'a1',
  hostId: 'h',
  verb: Verb.VERB_LOAD,
  kmod: 'dummy',
  parameters: [],
  dryRun: false,
  expiresAtMs: 1,
  confirmWindowSeconds: 0,
  overrides: [],
  ...UNSIGNED,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  const left = vi.getTimerCount();
  vi.useRealTimers();
  if (left !== 0) throw new Error(`${left} timers were left running`);
});

describe('a session', () => {
  it('says Hello first, and nothing more before Welcome', async () => {
    const { server, session, ended, events } = startSession(
      new FakeInventory(loadedSnapshot('floppy'), incapableSnapshot(Facet.FACET_CONFIG, 'denied')),
    );
    events.push({ events: [{ kmod: 'x', kind: 1, ageMs: 0, actionId: '', source: 'poll' }], lost: false });
    session.eventsWaiting();
    const hello = await server.next();
    expect(hello).toMatchObject({ $case: 'hello', value: { facts: { hostname: 'h1' }, boottimeMs: 10_000 } });
    if (hello.$case === 'hello') {
      expect(hello.value.facets).toMatchObject([
        { facet: Facet.FACET_LOADED, observedAgeMs: 10_000, incapableReason: '' },
        { facet: Facet.FACET_CONFIG, incapableReason: 'denied' },
      ]);
      expect(hello.value.facets[0]?.digest).toHaveLength(32);
      expect(hello.value.facets[1]?.digest).toHaveLength(0);
    }
    welcome(server);
    expect((await server.next()).$case).toBe('heartbeat');
    expect((await server.next()).$case).toBe('kmodEvents');
    session.stop();
    await expect(ended).resolves.toEqual({ kind: 'stopped' });
  });

  it('says in Hello what is so when the server lets it in, not when it came to the door', async () => {
    const { server, session, bootClock, inventory, ended } = startSession(
      new FakeInventory(loadedSnapshot('floppy')),
      new FakeEngine(),
      { atTheDoor: true },
    );
    bootClock.ms += 30_000;
    await vi.advanceTimersByTimeAsync(30_000);
    const [now] = inventory.snapshots();
    server.resume();
    expect(await server.next()).toMatchObject({
      $case: 'hello',
      value: { boottimeMs: 40_000, facets: [{ observedAgeMs: 40_000 - (now?.observedAtMs ?? 0) }] },
    });
    session.stop();
    await ended;
  });

  it('ends when no Welcome comes', async () => {
    const { ended } = startSession(new FakeInventory());
    await vi.advanceTimersByTimeAsync(60_000);
    await expect(ended).resolves.toEqual({ kind: 'silent', welcomed: false });
  });

  it('ends when the server does not keep to the protocol', async () => {
    const early = startSession(new FakeInventory());
    early.server.send({ $case: 'ping', value: { token: 1 } });
    await expect(early.ended).resolves.toEqual({ kind: 'protocol', welcomed: false, reason: 'ping before Welcome' });
    const twice = startSession(new FakeInventory());
    welcome(twice.server);
    welcome(twice.server);
    await expect(twice.ended).resolves.toMatchObject({ kind: 'protocol', reason: 'a second Welcome' });
    const unknown = startSession(new FakeInventory());
    unknown.server.send(undefined);
    await expect(unknown.ended).resolves.toMatchObject({
      kind: 'protocol',
      reason: expect.stringContaining('newer server') as string,
    });
  });

  it('takes intervals and time from Welcome and from heartbeats', async () => {
    const { server, session, inventory, serverClock, bootClock, ended } = startSession(new FakeInventory());
    await server.next();
    bootClock.ms += 400;
    welcome(server, { pollIntervalMs: 500, facetIntervalMs: 700 });
    await nextOf(server, 'heartbeat');
    expect(inventory.intervals).toEqual({ pollMs: 500, quietPollMs: 5000, facetMs: 700 });
    expect(serverClock.now()).toEqual({ ms: 1_700_000_000_200, errorMs: 210 });
    server.send({ $case: 'heartbeatReply', value: { boottimeMs: 10_400, serverTimeMs: 1_700_000_000_300 } });
    await vi.waitFor(() => expect(serverClock.now()).toEqual({ ms: 1_700_000_000_300, errorMs: 10 }));
    session.stop();
    await ended;
  });

  it('beats at its interval, and ends when three beats are not answered', async () => {
    const { server, ended } = startSession(new FakeInventory());
    welcome(server);
    await nextOf(server, 'heartbeat');
    server.send({ $case: 'heartbeatReply', value: { boottimeMs: 10_000, serverTimeMs: 1 } });
    await vi.advanceTimersByTimeAsync(30_000);
    for (let beat = 0; beat < 3; beat += 1) await nextOf(server, 'heartbeat');
    await vi.advanceTimersByTimeAsync(10_000);
    await expect(ended).resolves.toEqual({ kind: 'silent', welcomed: true });
  });

  it('beats at once after a suspend, and gives up soon if nobody answers', async () => {
    const { server, session, ended } = startSession(new FakeInventory());
    welcome(server);
    await nextOf(server, 'heartbeat');
    session.resumed();
    await nextOf(server, 'heartbeat');
    await vi.advanceTimersByTimeAsync(5000);
    await expect(ended).resolves.toEqual({ kind: 'silent', welcomed: true });
  });

  it('lives on after a suspend when the server answers', async () => {
    const { server, session, ended } = startSession(new FakeInventory());
    welcome(server);
    await nextOf(server, 'heartbeat');
    session.resumed();
    await nextOf(server, 'heartbeat');
    server.send({ $case: 'heartbeatReply', value: { boottimeMs: 10_000, serverTimeMs: 1 } });
    await vi.advanceTimersByTimeAsync(6000);
    await nextOf(server, 'heartbeat');
    session.stop();
    await expect(ended).resolves.toEqual({ kind: 'stopped' });
  });

  it('leaves when the server asks to, even before Welcome', async () => {
    const { server, ended } = startSession(new FakeInventory());
    server.send({ $case: 'reconnect', value: { afterMs: 700, reason: 'overload' } });
    await expect(ended).resolves.toEqual({ kind: 'reconnect', afterMs: 700, reason: 'overload' });
  });

  it('tells a new reason at once, in a sign of life', async () => {
    const { server, session, inventory, ended } = startSession(new FakeInventory(loadedSnapshot('a')));
    welcome(server);
    await nextOf(server, 'heartbeat');
    inventory.observe(incapableSnapshot(Facet.FACET_LOADED, '/proc/modules cannot be read (EIO)'));
    const beat = await nextOf(server, 'heartbeat');
    expect(beat.value.facets[0]).toMatchObject({ incapableReason: '/proc/modules cannot be read (EIO)' });
    session.stop();
    await ended;
  });

  it('answers pings and queries, and says why it cannot', async () => {
    const { server, session, ended } = startSession(new FakeInventory());
    welcome(server);
    server.send({ $case: 'ping', value: { token: 7 } });
    expect((await nextOf(server, 'pong')).value.token).toBe(7);
    const ask = async (...kmods: string[]) => {
      server.send({ $case: 'query', value: { queryId: 'q', kmods, timeoutMs: 100, health: false } });
      return (await nextOf(server, 'queryAnswer')).value;
    };
    expect(await ask('vfio-pci')).toMatchObject({ queryId: 'q', kmods: [{ name: 'vfio_pci' }], error: '' });
    const health = { queryId: 'q', kmods: [], timeoutMs: 100, health: true };
    server.send({ $case: 'query', value: health });
    expect((await nextOf(server, 'queryAnswer')).value).toMatchObject({ kmods: [], health: { links: ['eth0 up'] } });
    expect((await ask('vfio')).health).toBeUndefined();
    expect((await ask('broken')).error).toContain('EIO');
    expect((await ask('../x')).error).toContain('is no kmod name');
    expect((await ask(...Array.from({ length: 101 }, () => 'a'))).error).toContain('at most 100');
    session.stop();
    await ended;
  });
});

/** Answers the next sign of life. */
async function answerBeat(server: MemoryServerEnd, serverTimeMs = 1_700_000_000_000): Promise<void> {
  const { boottimeMs } = (await nextOf(server, 'heartbeat')).value;
  server.send({ $case: 'heartbeatReply', value: { boottimeMs, serverTimeMs } });
}

describe('actions over a session', () => {
  it('wait for the server’s time of now, in their order: a paused machine cannot know how late it is', async () => {
    const { server, session, engine, serverClock, bootClock, ended } = startSession(new FakeInventory());
    welcome(server);
    await answerBeat(server);
    bootClock.ms += 1000;
    server.send({ $case: 'actionRequest', value: ACTION });
    server.send({ $case: 'actionCancel', value: { actionId: 'a1' } });
    const seen: unknown[] = [];
    engine.submit = () => seen.push(['submit', serverClock.now()?.ms]);
    engine.cancel = () => seen.push('cancel');
    server.send({ $case: 'heartbeatReply', value: { boottimeMs: 10_000, serverTimeMs: 1_700_000_000_000 } });
    await nextOf(server, 'heartbeat');
    expect(seen).toEqual([]);
    server.send({ $case: 'heartbeatReply', value: { boottimeMs: 11_000, serverTimeMs: 1_700_000_600_000 } });
    await vi.waitFor(() => expect(seen).toEqual([['submit', 1_700_000_600_000], 'cancel']));
    session.stop();
    await ended;
  });

  it('end the session when they come in a flood', async () => {
    const { server, engine, ended } = startSession(new FakeInventory());
    welcome(server);
    for (let count = 0; count <= 256; count += 1)
      server.send({ $case: 'actionRequest', value: { ...ACTION, actionId: `a${count}` } });
    await expect(ended).resolves.toMatchObject({ kind: 'protocol', reason: 'too many actions at once' });
    expect(engine.submitted).toEqual([]);
  });

  it('reach the engine; progress and results reach the server; acknowledgements come back', async () => {
    const { server, session, engine, ended } = startSession(new FakeInventory());
    welcome(server);
    server.send({ $case: 'actionRequest', value: ACTION });
    await answerBeat(server);
    await vi.waitFor(() => expect(engine.submitted).toHaveLength(1));
    engine.progress({ actionId: 'a1', phase: ActionPhase.ACTION_PHASE_STARTED });
    engine.end('a1');
    expect((await nextOf(server, 'actionProgress')).value.phase).toBe(ActionPhase.ACTION_PHASE_STARTED);
    expect((await nextOf(server, 'actionResult')).value.outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    server.send({ $case: 'resultAck', value: { actionIds: ['a1'] } });
    server.send({ $case: 'actionCancel', value: { actionId: 'a2' } });
    await vi.waitFor(() => expect([engine.acknowledged, engine.cancelled]).toEqual([['a1'], ['a2']]));
    session.stop();
    await ended;
  });

  it('send results again that nobody acknowledged, and announce them', async () => {
    const engine = new FakeEngine();
    engine.results.push(fakeResult('old', Outcome.OUTCOME_FAILED));
    const { server, session, ended } = startSession(new FakeInventory(), engine);
    expect((await nextOf(server, 'hello')).value.unacknowledgedResults).toEqual(['old']);
    welcome(server);
    expect((await nextOf(server, 'actionResult')).value.actionId).toBe('old');
    session.stop();
    await ended;
  });

  it('never reach the engine of a quarantined host, but for dry runs', async () => {
    const { server, session, engine, ended } = startSession(new FakeInventory());
    welcome(server, { quarantined: true });
    server.send({ $case: 'actionRequest', value: ACTION });
    await answerBeat(server);
    const { value } = await nextOf(server, 'actionResult');
    expect(value).toMatchObject({ actionId: 'a1', outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'quarantined' });
    server.send({ $case: 'actionRequest', value: { ...ACTION, actionId: 'dry', dryRun: true } });
    await answerBeat(server);
    await vi.waitFor(() => expect(engine.submitted.map((request) => request.actionId)).toEqual(['dry']));
    session.stop();
    await ended;
  });

  it('end the session when the server takes no results; nothing is dropped', async () => {
    const { server, engine, ended } = startSession(new FakeInventory());
    welcome(server);
    await nextOf(server, 'heartbeat');
    server.pause();
    for (let count = 0; count < 6; count += 1)
      engine.end(`a${count}`, Outcome.OUTCOME_SUCCEEDED, 'x'.repeat(1024 * 1024));
    await expect(ended).resolves.toEqual({ kind: 'overflow' });
    expect(engine.unacknowledged()).toHaveLength(6);
  });
});

describe('wordsFor', () => {
  it('has a sentence for every end', () => {
    expect(wordsFor({ kind: 'failed', welcomed: false, code: 14, details: 'ECONNREFUSED' })).toBe(
      'no session: ECONNREFUSED',
    );
    expect(wordsFor({ kind: 'reconnect', afterMs: 5, reason: 'shutdown' })).toContain('5 ms (shutdown)');
    expect(wordsFor({ kind: 'silent', welcomed: true })).toContain('signs of life');
  });
});
