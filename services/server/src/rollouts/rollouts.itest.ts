import { Outcome, Verb } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { ActionStack, eventsOf } from '../actions/testing/action-stack.ts';
import type { FakeHost } from '../actions/testing/fake-host.ts';
import type { Problem, Rollout, RolloutList } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { IN_USE } from './testing/plan-bench.ts';
import { type Does, RolloutBench, UNLOADS } from './testing/rollout-bench.ts';

let stack: ActionStack;
const bench = new RolloutBench(() => stack);
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
afterEach(async () => {
  bench.stop();
  await stack.reset();
});

const FAILS: Does = () => ({
  outcome: Outcome.OUTCOME_FAILED,
  message: 'rmmod: error',
  reasonCode: 'rejected_by_kernel',
});
const first = <T>(items: readonly T[]): T => {
  const [item] = items;
  if (item === undefined) throw new Error('nothing is there');
  return item;
};
const verbsOf = (host: FakeHost): Verb[] => (bench.sent.get(host.id) ?? []).map(({ verb }) => verb);

describe('a rollout', () => {
  it('carries its plan out in waves, each host with what was approved for it, and says what it has seen', async () => {
    const hosts = await bench.hosts(6);
    const made = await bench.create({ waves: ['1', '50%', '100%'], reason: 'CVE' });
    expect(made).toMatchObject({ state: 'running', verb: 'unload', kmod: 'floppy', reason: 'CVE', requestedBy: 'ops' });
    expect(made.waves.map(({ counts }) => counts.total)).toEqual([1, 2, 3]);
    const done = await bench.in(made.id, 'succeeded', 'failed', 'paused');
    expect([done.state, done.counts.ended, done.message]).toEqual([
      'succeeded',
      { succeeded: 6 },
      'Floppy is unloaded on 6 of 6 hosts, as far as every one of them reported.',
    ]);
    expect(done.waves.map(({ state }) => state)).toEqual(['ended', 'ended', 'ended']);
    const targets = await bench.targets(made.id);
    expect(targets.map(({ wave, outcome, healthSeen }) => [wave, outcome, healthSeen])).toEqual([
      [0, 'succeeded', true],
      [1, 'succeeded', true],
      [1, 'succeeded', true],
      [2, 'succeeded', true],
      [2, 'succeeded', true],
      [2, 'succeeded', true],
    ]);
    for (const host of hosts) {
      const [request] = bench.sent.get(host.id) ?? [];
      expect(request?.approvedPlans).toHaveLength(1);
    }
    expect((await bench.notes(made.id)).at(-1)).toBe('succeeded');
    const { body } = await stack.call<RolloutList>('GET', '/rollouts');
    expect(body.items[0]).toMatchObject({ id: made.id, hosts: 6, ended: 6, asAsked: 6 });
  });

  it('stops on its budget before the next wave, and goes on when it is told to', async () => {
    const hosts = await bench.hosts(6);
    for (const host of hosts) bench.does(host, FAILS);
    const made = await bench.create({ waves: ['2', '4', '6'], concurrency: 1 });
    const paused = await bench.in(made.id, 'paused');
    expect(paused.message).toBe(
      'Paused; floppy is unloaded on 0 of 6 hosts. Nothing more is sent. Over its budget: 1 failed in all, budget 0.',
    );
    expect([paused.wave, paused.counts.ended, paused.counts.pending]).toEqual([0, { failed: 1 }, 5]);
    expect(paused.budget).toContainEqual({ scope: 'whole', kind: 'failed', limit: 0, count: 1, exceeded: true });
    expect(paused.failures).toMatchObject([
      { kind: 'failed', code: 'rejected_by_kernel', message: 'rmmod: error', hosts: 1 },
    ]);
    const resumed = await bench.control(made.id, 'resume', { reason: 'known' });
    expect(resumed.taken).toBe(true);
    const again = await bench.in(made.id, 'paused');
    expect(again.counts.ended).toEqual({ failed: 2 });
  });

  it('puts back what it changed, by what the hosts said, also after its end', async () => {
    const hosts = await bench.hosts(3);
    bench.does(first(hosts), () => ({ outcome: Outcome.OUTCOME_UNCHANGED }));
    const made = await bench.create();
    await bench.in(made.id, 'succeeded');
    const asked = await bench.control(made.id, 'roll-back', { reason: 'regression' });
    expect(asked.taken).toBe(true);
    const back = await bench.in(made.id, 'rolled_back', 'failed');
    expect([back.state, back.message]).toEqual([
      'rolled_back',
      'Rolled back: all 2 hosts that changed are as they were.',
    ]);
    expect(back.rollback).toEqual({ total: 2, pending: 0, dispatched: 0, restored: 2, failed: 0, unknown: 0 });
    expect(verbsOf(first(hosts))).toEqual([Verb.VERB_UNLOAD]);
    const [, restore] = bench.sent.get(hosts[1]?.id ?? '') ?? [];
    expect([restore?.verb, restore?.undo]).toEqual([
      Verb.VERB_RESTORE,
      [{ kind: 'load', kmod: 'floppy', parameters: ['FLOPPY_DMA=0'] }],
    ]);
  });

  it('does nothing that a host names and the plan does not', async () => {
    const [host] = await bench.hosts(1);
    bench.does(host as FakeHost, (request) => ({
      ...UNLOADS(request),
      undo: [{ kind: 'load', kmod: 'evil', parameters: [] }],
    }));
    const made = await bench.create();
    await bench.in(made.id, 'succeeded');
    await bench.control(made.id, 'roll-back');
    const back = await bench.in(made.id, 'rolled_back', 'failed');
    expect([back.state, verbsOf(host as FakeHost)]).toEqual(['failed', [Verb.VERB_UNLOAD]]);
    expect((await bench.targets(made.id))[0]?.rollback).toMatchObject({
      outcome: 'refused',
      message: 'the host did not say what would put it back',
    });
  });

  it('stops for a host that is not well after its wave', async () => {
    const hosts = await bench.hosts(4);
    for (const host of hosts) bench.isNow(host, { taint: 512, links: ['eth0 down'] });
    const made = await bench.create({ waves: ['1', '4'] });
    const paused = await bench.in(made.id, 'paused', 'succeeded', 'failed');
    expect([paused.state, paused.wave, paused.counts.unhealthy]).toEqual(['paused', 0, 1]);
    expect(paused.failures.map(({ kind, code }) => `${kind} ${code}`).sort()).toEqual([
      'unhealthy link',
      'unhealthy taint',
    ]);
  });

  it('waits for a host that is away, and runs it when it is back', async () => {
    const hosts = await bench.hosts(2);
    const away = await stack.enroll('web-away');
    await bench.plans.label([away], 'prod');
    const made = await bench.create({ waves: ['1', '3'], deadline: 600 });
    // The order is random: the first wave may be the one that is away.
    const standing = async () => {
      const { state, counts } = await bench.show(made.id);
      return [state, counts.waiting, counts.ended];
    };
    await expect.poll(standing, { timeout: 60_000 }).toEqual(['running', 1, { succeeded: 2 }]);
    bench.serve(away);
    await stack.connect(away);
    const done = await bench.in(made.id, 'succeeded', 'failed');
    expect(done.state).toBe('succeeded');
    const [late] = bench.sent.get(away.id) ?? [];
    expect(late?.approvedPlans).toHaveLength(1);
    expect(hosts).toHaveLength(2);
  });

  it('is paused at once, whatever its watcher does, and nothing that waits is sent', async () => {
    const hosts = await bench.hosts(4);
    const made = await bench.create({ waves: ['1', '4'], bake: 600 });
    await expect
      .poll(async () => (await bench.show(made.id)).counts.ended, { timeout: 30_000 })
      .toEqual({ succeeded: 1 });
    const paused = await bench.control(made.id, 'pause', { reason: 'lunch' });
    expect([paused.taken, paused.rollout.state]).toEqual([true, 'paused']);
    await bench.control(made.id, 'abort');
    const over = await bench.in(made.id, 'aborted');
    expect(over.counts.ended).toEqual({ succeeded: 1, not_run: 3 });
    expect(hosts.flatMap(verbsOf)).toHaveLength(1);
    const { status, body } = await bench.post<Problem>(`/rollouts/${made.id}/resume`);
    expect([status, body.code, body.detail]).toEqual([
      409,
      'rollout_state',
      'the rollout is aborted and over: resume is not possible; possible: roll back',
    ]);
  });

  it('is tried again for those that failed, as a rollout of its own', async () => {
    const hosts = await bench.hosts(3);
    bench.does(first(hosts), FAILS);
    const made = await bench.create({ budget: { whole: { failed: '1' } } });
    await bench.in(made.id, 'failed');
    bench.does(first(hosts), UNLOADS);
    const child = bench.created(await bench.post(`/rollouts/${made.id}/retry`, { what: 'failed', bake: 0 }));
    expect([child.parent, child.counts.total]).toEqual([made.id, 1]);
    expect((await bench.in(child.id, 'succeeded', 'failed')).state).toBe('succeeded');
    const none = await bench.post<Problem>(`/rollouts/${made.id}/retry`, { what: 'unreached' });
    expect([none.status, none.body.code]).toEqual([409, 'plan_empty']);
  });

  it('keeps what the plan called refused with its reason, and tries again what passes by itself', async () => {
    const hosts = await bench.hosts(2);
    bench.does(first(hosts), () => ({ outcome: Outcome.OUTCOME_REFUSED, verdict: IN_USE }));
    const made = await bench.create({ deadline: 10 });
    const waits = (await bench.targets(made.id)).length;
    expect(waits).toBe(2);
    const done = await bench.in(made.id, 'failed');
    const refused = (await bench.targets(made.id, '?outcome=refused'))[0];
    expect([done.counts.ended, refused?.code, refused?.evidence]).toEqual([
      { succeeded: 1, refused: 1 },
      'in_use',
      [{ kind: 'mount', value: '/mnt' }],
    ]);
  });
});

describe('who may', () => {
  it('begins when somebody else has approved what was looked at', async () => {
    await bench.hosts(1);
    const made = await bench.create({ requireApproval: true });
    expect([made.state, made.approval]).toEqual(['awaiting_approval', null]);
    const own = await bench.post<Problem>(`/rollouts/${made.id}/approve`, { hash: made.hash });
    expect([own.status, own.body.code]).toEqual([403, 'approval_own']);
    const other = await testCaller(stack.app, [['approver', null]]);
    const headers = { authorization: `Bearer ${other.token}` };
    const wrong = await bench.post<Problem>(`/rollouts/${made.id}/approve`, { hash: '0'.repeat(64) }, headers);
    expect([wrong.status, wrong.body.code]).toEqual([409, 'rollout_changed']);
    expect((await bench.post(`/rollouts/${made.id}/approve`, { hash: made.hash }, headers)).status).toBe(202);
    const done = await bench.in(made.id, 'succeeded', 'failed');
    expect([done.state, done.approval?.by]).toEqual(['succeeded', other.name]);
    expect(Date.parse(done.deadlineAt) - Date.parse(done.startedAt ?? '')).toBe(3_600_000);
  });

  it('sees nothing of a rollout with hosts that are not theirs, and stops none', async () => {
    const hosts = await bench.hosts(2);
    const made = await bench.create({ bake: 600, waves: ['1', '2'] });
    await bench.plans.label([first(hosts)], 'test');
    const { token } = await testCaller(stack.app, [['operator', 'env=prod']]);
    const headers = { authorization: `Bearer ${token}` };
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/targets'],
      ['GET', '/watch'],
    ] as const)
      expect((await stack.call<Problem>(method, `/rollouts/${made.id}${path}`, undefined, headers)).body.code).toBe(
        'rollout_not_found',
      );
    expect((await bench.post<Problem>(`/rollouts/${made.id}/pause`, {}, headers)).body.code).toBe('rollout_not_found');
    expect((await stack.call<RolloutList>('GET', '/rollouts', undefined, headers)).body.items).toEqual([]);
    await bench.control(made.id, 'abort');
    await bench.in(made.id, 'aborted');
  });

  it('two that want the opposite on one host: the second is refused, and the first is named', async () => {
    await bench.hosts(2);
    const made = await bench.create({ bake: 600, waves: ['1', '2'] });
    const { status, body } = await bench.plans.ask<Problem>({ verb: 'load', selector: 'env=prod' });
    expect([status, body.code, body.detail.includes(made.id)]).toEqual([409, 'rollout_conflict', true]);
    await bench.control(made.id, 'abort');
    await bench.in(made.id, 'aborted');
  });
});

describe('rows that were changed outside the server', () => {
  it.each([
    ['another kmod', `UPDATE rollout_plan SET kmod = 'evil'`],
    ['another host', `UPDATE rollout_target SET wave = 0`],
    ['other options', `UPDATE rollout SET options = jsonb_set(options, '{concurrency}', '7')`],
    ['another asker', `UPDATE rollout SET requested_by = 'somebody'`],
  ])('send nothing: %s', async (_what, change) => {
    const hosts = await bench.hosts(3);
    const made = await bench.create({ requireApproval: true, waves: ['1', '3'] });
    await stack.database.query(change);
    await stack.database.query(`UPDATE rollout SET state = 'running', lease_expires_at = '-infinity'`);
    const paused = await bench.in(made.id, 'paused');
    expect(paused.message).toContain('Its rows were changed outside the server, so nothing is sent');
    expect(hosts.flatMap(verbsOf)).toEqual([]);
  });
});

it('says of a host that is waited for why, and until when', async () => {
  await bench.hosts(1);
  const made = await bench.create({ requireApproval: true });
  await stack.database.query(`UPDATE rollout_target SET wait = 'unreachable' WHERE rollout_id = $1`, [made.id]);
  const { failures } = await bench.in(made.id, 'awaiting_approval');
  expect(failures).toMatchObject([
    { kind: 'unreachable', code: '', message: 'not connected; it is waited for until the deadline', hosts: 1 },
  ]);
});

it('tells who follows it of a freeze, and of its end', async () => {
  await bench.hosts(1);
  const made = await bench.create({ requireApproval: true });
  const response = await stack.fetch('GET', `/rollouts/${made.id}/watch`, undefined, { accept: 'text/event-stream' });
  const events = eventsOf(response);
  const freezeOfNext = async (): Promise<unknown> => {
    const { value } = await events.next();
    return (value?.data as Partial<Rollout> | undefined)?.freeze;
  };
  expect(await freezeOfNext()).toBeNull();
  await stack.fetch('POST', '/freeze', { reason: 'look first' });
  expect(await freezeOfNext()).toMatchObject({ reason: 'look first' });
  await stack.fetch('POST', '/thaw', {});
  expect(await freezeOfNext()).toBeNull();
  await events.return(undefined);
});

it('is followed to its end', async () => {
  await bench.hosts(3);
  const made = await bench.create({ waves: ['1', '3'] });
  const response = await stack.fetch('GET', `/rollouts/${made.id}/watch`, undefined, { accept: 'text/event-stream' });
  const seen: Rollout[] = [];
  for await (const { event, data } of eventsOf(response))
    if (event === 'rollout') seen.push(data as unknown as Rollout);
  expect(seen.at(-1)?.state).toBe('succeeded');
  const last = seen.at(-1)?.version ?? 0;
  const again = await stack.fetch('GET', `/rollouts/${made.id}/watch`, undefined, { 'last-event-id': String(last) });
  expect(again.status).toBe(204);
});
