import { randomUUID } from 'node:crypto';
import { Outcome } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { ActionStack } from '../../actions/testing/action-stack.ts';
import { type FakeHost, resultOf } from '../../actions/testing/fake-host.ts';
import type { ActionList, AuditList, Problem, RolloutPlan, RolloutPlanList } from '../../api-types.ts';
import { RetentionService } from '../../retention/retention.service.ts';
import { Fleet } from '../../testing/fleet.ts';
import { onTestDatabase } from '../../testing/on-test-database.ts';
import { testCaller } from '../../testing/test-access.ts';
import { IN_USE, NOT_LOADED, PlanBench, WOULD_UNLOAD } from '../testing/plan-bench.ts';
import { PlansService } from './plans.service.ts';

let stack: ActionStack;
const bench = new PlanBench(() => stack);
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
afterEach(() => stack.reset());

const PROD = { selector: 'env=prod' };

/** Host number `number` of those that {@link PlanBench.connected} made. */
function nth(hosts: readonly FakeHost[], number: number): FakeHost {
  const host = hosts[number - 1];
  if (host === undefined) throw new Error(`there is no host ${number}`);
  return host;
}

describe('a plan', () => {
  it('asks every connected host, shows what is known so far, and is ready with the last answer', async () => {
    const hosts = await bench.connected(5);
    const silent = await stack.enroll('silent-1');
    await bench.label([silent], 'prod');
    const made = await bench.plan({ ...PROD, reason: 'CVE', answerWithin: 600 });
    expect(made).toMatchObject({ state: 'asking', hash: null, readyAt: null, requestedBy: 'ops', reason: 'CVE' });
    expect(made.counts).toEqual({ total: 6, wouldChange: 0, unchanged: 0, refused: 0, unknown: 1, asked: 5 });

    for (const number of [1, 2])
      await bench.answers(nth(hosts, number), Outcome.OUTCOME_SUCCEEDED, WOULD_UNLOAD, 'it would be done');
    await bench.answers(nth(hosts, 3), Outcome.OUTCOME_REFUSED, IN_USE);
    await bench.answers(nth(hosts, 4), Outcome.OUTCOME_UNCHANGED, NOT_LOADED);
    const soFar = await bench.show(made.id);
    expect(soFar.counts).toEqual({ total: 6, wouldChange: 2, unchanged: 1, refused: 1, unknown: 1, asked: 1 });
    expect([soFar.state, soFar.classes, soFar.hash]).toEqual(['asking', [], null]);
    const asking = await bench.targets(made.id, '?standing=refused');
    expect(asking.items).toMatchObject([{ host: { name: 'web-3' }, code: 'in_use', class: null }]);

    await bench.answers(nth(hosts, 5), Outcome.OUTCOME_SUCCEEDED, {
      ...WOULD_UNLOAD,
      plan: [{ kind: 'rmmod', kmod: 'other', parameters: [], because: 'holds floppy' }, ...WOULD_UNLOAD.plan],
    });
    const plan = await bench.ready(made.id);
    expect(plan.counts).toEqual({ total: 6, wouldChange: 3, unchanged: 1, refused: 1, unknown: 1, asked: 0 });
    expect(plan.classes.map(({ class: number, standing, hosts: count }) => [number, standing, count])).toEqual([
      [0, 'would_change', 2],
      [1, 'would_change', 1],
      [2, 'unchanged', 1],
    ]);
    expect(plan.classes[0]).toMatchObject({
      steps: [{ kind: 'rmmod', kmod: 'floppy' }],
      reloadPaths: [{ kind: 'alias', value: 'platform:floppy' }],
      sample: [{ name: 'web-1' }, { name: 'web-2' }],
    });
    expect(plan.refusals).toMatchObject([
      {
        code: 'in_use',
        message: 'floppy is in use',
        retried: true,
        hosts: 1,
        evidence: [{ kind: 'mount', value: '/mnt' }],
      },
    ]);
    expect(plan.unknowns).toEqual([
      { code: 'silent', message: 'It never connected.', hosts: 1, sample: [{ id: silent.id, name: 'silent-1' }] },
    ]);
    expect(plan.hash).toMatch(/^[0-9a-f]{64}$/);
    const life = Date.parse(plan.expiresAt) - Date.parse(plan.readyAt ?? '');
    expect(Math.abs(life - 24 * 60 * 60 * 1000)).toBeLessThan(10);
  });

  it('gives its targets by name, with what each said', async () => {
    const hosts = await bench.connected(3);
    await stack.database.query(
      `UPDATE host SET kernel_release = '6.1.0-49-amd64', facts = '{"virtualization":"kvm"}' WHERE id = $1`,
      [nth(hosts, 1).id],
    );
    const { id } = await bench.plan({ hosts: hosts.map(({ name }) => name) });
    await bench.answers(nth(hosts, 1), Outcome.OUTCOME_SUCCEEDED, WOULD_UNLOAD, 'it would be done');
    await bench.answers(nth(hosts, 2), Outcome.OUTCOME_REFUSED, IN_USE);
    await bench.answers(nth(hosts, 3), Outcome.OUTCOME_INTERRUPTED, undefined);
    await bench.ready(id);
    const whole = await bench.targets(id);
    expect(whole.items).toMatchObject([
      {
        host: { name: 'web-1' },
        standing: 'would_change',
        code: '',
        class: 0,
        kernelRelease: '6.1.0-49-amd64',
        hardware: 'vm kvm',
      },
      {
        host: { name: 'web-2' },
        standing: 'refused',
        code: 'in_use',
        class: null,
        evidence: [{ kind: 'mount', value: '/mnt' }],
      },
      {
        host: { name: 'web-3' },
        standing: 'unknown',
        code: 'interrupted',
        message: 'The dry run ended as interrupted.',
        hardware: '',
      },
    ]);
    const first = await bench.targets(id, '?limit=2');
    const second = await bench.targets(id, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items]).toEqual(whole.items);
    expect(second.nextCursor).toBeNull();
    for (const [query, names] of [
      ['?standing=unknown', ['web-3']],
      ['?code=in_use', ['web-2']],
      ['?class=0', ['web-1']],
      ['?class=1', []],
    ] as const)
      expect((await bench.targets(id, query)).items.map(({ host }) => host.name)).toEqual(names);
    const actions = (await stack.call<ActionList>('GET', '/actions')).body.items;
    expect(actions.map((action) => action.id).sort()).toEqual(whole.items.map(({ action }) => action).sort());
    expect(actions.every(({ dryRun }) => dryRun)).toBe(true);
  });

  it('is the same once it is ready, whatever its hosts say later', async () => {
    const [host] = await bench.connected(1);
    if (host === undefined) return;
    const { id } = await bench.plan({ ...PROD, answerWithin: 1 });
    const request = await host.next('actionRequest');
    const plan = await bench.ready(id);
    expect(plan.unknowns).toMatchObject([{ code: 'no_answer', hosts: 1 }]);
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED, { verdict: WOULD_UNLOAD }));
    await host.next('resultAck');
    expect(await bench.show(id)).toEqual(plan);
    expect((await bench.targets(id)).items).toMatchObject([{ standing: 'unknown', code: 'no_answer', evidence: [] }]);
  });

  it('takes back what was not sent when the time for answers is over', async () => {
    const host = await stack.enroll('web-1');
    await bench.label([host], 'prod');
    await stack.connect(host, { outboxFull: true });
    const { id } = await bench.plan({ ...PROD, answerWithin: 1 });
    const plan = await bench.ready(id);
    expect(plan.unknowns).toMatchObject([{ code: 'no_answer', hosts: 1 }]);
    const action = (await stack.call<ActionList>('GET', '/actions')).body.items[0];
    expect(action?.state).toBe('ended');
    expect(['cancelled', 'expired']).toContain(action?.outcome);
  });

  it('is ready at once when no host can be asked', async () => {
    const host = await stack.enroll('web-1');
    await bench.label([host], 'prod');
    const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
    expect((await bench.ready(id)).counts).toMatchObject({ total: 1, unknown: 1 });
  });

  it('tells quarantined and revoked hosts as refused, without asking them, and leaves out retired ones', async () => {
    const hosts = await bench.connected(4);
    const change = (column: string, host: FakeHost) =>
      stack.database.query(`UPDATE host SET ${column} = now() WHERE id = $1`, [host.id]);
    await change('quarantined_at', nth(hosts, 1));
    await change('revoked_at', nth(hosts, 2));
    await change('retired_at', nth(hosts, 3));
    const made = await bench.plan({ all: true });
    expect(made.selector).toBe('');
    await bench.answers(nth(hosts, 4), Outcome.OUTCOME_SUCCEEDED, WOULD_UNLOAD);
    const plan = await bench.ready(made.id);
    expect(plan.counts).toMatchObject({ total: 3, wouldChange: 1, refused: 2 });
    expect(plan.refusals.map(({ code }) => code).sort()).toEqual(['host_quarantined', 'host_revoked']);
    expect(hosts.slice(0, 3).every(({ heard }) => heard.length === 0)).toBe(true);
  });

  it('shows hosts that match its selector by now and are no targets', async () => {
    await bench.connected(1);
    const { id } = await bench.plan(PROD);
    expect((await bench.show(id)).newMatches).toEqual([]);
    const late = await stack.enroll('late-1');
    await bench.label([late], 'prod');
    expect((await bench.show(id)).newMatches).toEqual([{ id: late.id, name: 'late-1' }]);
    const named = await bench.plan({ hosts: ['web-1'] });
    expect((await bench.show(named.id)).newMatches).toEqual([]);
  });

  it('is refused while the fleet is frozen, for no host, and for verbs that hosts do not know', async () => {
    const refusal = async (body: object): Promise<string> => (await bench.ask<Problem>(body)).body.code;
    expect(await refusal(PROD)).toBe('plan_empty');
    expect(await refusal({ selector: 'env=' })).toBe('plan_empty');
    expect(await refusal({ hosts: ['nobody'] })).toBe('host_not_found');
    expect(await refusal({ ...PROD, all: true })).toBe('body_invalid');
    expect(await refusal({ ...PROD, verb: 'restore' })).toBe('body_invalid');
    await bench.connected(1);
    await stack.call('POST', '/freeze', { reason: 'incident' });
    expect(await refusal(PROD)).toBe('frozen');
    await stack.call('POST', '/thaw', {});
    expect((await bench.plan(PROD)).state).toBe('asking');
  });

  it('asks its hosts once for one Idempotency-Key', async () => {
    const [host] = await bench.connected(1);
    const key = { 'idempotency-key': randomUUID() };
    const first = await bench.plan(PROD, key);
    await host?.next('actionRequest');
    expect(await bench.plan(PROD, key)).toEqual(first);
    await stack.idle();
    expect(host?.heard).toEqual([]);
    expect((await stack.call<RolloutPlanList>('GET', '/rollout-plans')).body.items).toHaveLength(1);
  });

  it('is in the audit log with all its hosts', async () => {
    const hosts = await bench.connected(2);
    const { id } = await bench.plan({ ...PROD, reason: 'CVE' });
    const { items } = (await stack.call<AuditList>('GET', '/audit?what=rollout.plan')).body;
    expect(items.find(({ object }) => object === id)).toMatchObject({
      kmod: 'floppy',
      selector: 'env=prod',
      reason: 'CVE',
      outcome: 'allowed',
      targets: { count: 2, hosts: hosts.map((host) => host.id).sort() },
    });
  });
});

describe('the rights to a plan', () => {
  it('are to all of its hosts: who may not read one of them does not find it', async () => {
    const hosts = await bench.connected(2);
    await bench.label([nth(hosts, 2)], 'staging');
    const bearer = async (...grants: (readonly ['viewer' | 'operator', string | null])[]) => ({
      authorization: `Bearer ${(await testCaller(stack.app, grants)).token}`,
    });
    const both = await bench.plan({ all: true });
    const prod = await bench.plan(PROD);
    const viewer = await bearer(['viewer', 'env=prod']);
    const seen = await stack.call<RolloutPlanList>('GET', '/rollout-plans', undefined, viewer);
    expect(seen.body.items.map(({ id, hosts: count }) => [id, count])).toEqual([[prod.id, 1]]);
    for (const path of [both.id, `${both.id}/targets`, 'x', randomUUID()]) {
      const answer = await stack.call<Problem>('GET', `/rollout-plans/${path}`, undefined, viewer);
      expect([answer.status, answer.body.code]).toEqual([404, 'plan_not_found']);
    }
    expect((await stack.call('GET', `/rollout-plans/${prod.id}`, undefined, viewer)).status).toBe(200);
    expect((await bench.ask<Problem>(PROD, viewer)).body.code).toBe('forbidden');
  });

  it('count hosts of which the selector knows nothing to those alone who may read them', async () => {
    const fleet = new Fleet(stack.app);
    const loaded = ['floppy'];
    await fleet.add({ name: 'stage-1', labels: { env: 'staging' }, loaded, presence: 'silent' });
    await fleet.add({ name: 'stage-2', labels: { env: 'staging' } });
    await fleet.add({ name: 'prod-1', labels: { env: 'prod' } });
    await fleet.add({ name: 'stage-3', labels: { env: 'staging' }, loaded });
    const { id, unknownInSelector } = await bench.plan({ selector: '@loaded=floppy', answerWithin: 1 });
    expect(unknownInSelector).toBe(3);
    const { token } = await testCaller(stack.app, [['viewer', 'env=staging']]);
    const seen = await stack.call<RolloutPlan>('GET', `/rollout-plans/${id}`, undefined, {
      authorization: `Bearer ${token}`,
    });
    expect(seen.body).toMatchObject({ id, unknownInSelector: 2, counts: { total: 1 } });
  });

  it('that do not reach a host make it refused, and an error where it was named', async () => {
    const hosts = await bench.connected(2);
    await bench.label([nth(hosts, 2)], 'staging');
    const { token } = await testCaller(stack.app, [
      ['operator', 'env=prod'],
      ['viewer', 'env=staging'],
    ]);
    const who = { authorization: `Bearer ${token}` };
    const { id } = await bench.plan({ all: true }, who);
    await bench.answers(nth(hosts, 1), Outcome.OUTCOME_SUCCEEDED, WOULD_UNLOAD);
    const plan = await bench.ready(id);
    expect(plan.refusals).toMatchObject([{ code: 'forbidden', hosts: 1, sample: [{ name: 'web-2' }] }]);
    expect(nth(hosts, 2).heard).toEqual([]);
    const named = await bench.ask<Problem>({ hosts: ['web-1', 'web-2'] }, who);
    expect(named.body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('over web-2') });
  });
});

describe('what a plan meets', () => {
  /** An open rollout of `verb` on these hosts, as the table has it. */
  async function rollout(verb: number, hosts: readonly FakeHost[]): Promise<string> {
    const [plan, id] = [randomUUID(), randomUUID()];
    await stack.database.query(
      `INSERT INTO rollout_plan (id, state, verb, kmod, requested_by, answers_until, expires_at) VALUES ($1, 'ready', $2, 'floppy', 'ops', now(), now())`,
      [plan, verb],
    );
    await stack.database.query(
      `INSERT INTO rollout (id, plan_id, state, options, hash, requested_by, requested_account, seal, deadline)
       VALUES ($1, $2, 'running', '{}', '', 'ops', gen_random_uuid(), '', now() + interval '1 hour')`,
      [id, plan],
    );
    await stack.database.query(
      `INSERT INTO rollout_target (rollout_id, host_id, position, wave, state) SELECT $1, h, n, 0, 'pending' FROM unnest($2::uuid[]) WITH ORDINALITY AS u (h, n)`,
      [id, hosts.map((host) => host.id)],
    );
    return id;
  }

  it('of opposite intent on a host that both are about is named', async () => {
    const hosts = await bench.connected(3);
    const id = await rollout(1, hosts.slice(0, 2));
    await rollout(2, hosts);
    const refused = await bench.ask<Problem>(PROD);
    expect(refused.body).toMatchObject({ code: 'rollout_conflict', candidates: [id] });
    expect(refused.body.detail).toContain(
      `rollout ${id} has not ended and wants the opposite on 2 of these hosts: load floppy`,
    );
    expect((await bench.ask({ hosts: ['web-3'] })).status).toBe(202);
    expect((await bench.ask({ ...PROD, kmod: 'other' })).status).toBe(202);
    await stack.database.query('UPDATE rollout SET ended_at = now()');
    expect((await bench.ask(PROD)).status).toBe(202);
  });

  it('is that it is not ready, or has expired', async () => {
    await bench.connected(1);
    const plans = stack.app.get(PlansService);
    const { id } = await bench.plan({ ...PROD, answerWithin: 1 });
    const ready = () => stack.database.tx('READ COMMITTED', (sql) => plans.requireReady(sql, id, 'all'));
    await expect(ready()).rejects.toMatchObject({ code: 'plan_not_ready' });
    await bench.ready(id);
    expect(await ready()).toMatchObject({ id, state: 'ready', verb: 'unload' });
    await stack.database.query('UPDATE rollout_plan SET expires_at = now()');
    await expect(ready()).rejects.toMatchObject({ code: 'plan_expired' });
  });

  it('is that nobody made a rollout of it for 30 days; its dry runs stay', async () => {
    const hosts = await bench.connected(1);
    const { id } = await bench.plan(PROD);
    await rollout(2, hosts);
    const age = (days: number) =>
      stack.database.query('UPDATE rollout_plan SET created_at = now() - make_interval(days => $1)', [days]);
    const left = async (): Promise<number> => (await stack.database.query('SELECT 1 FROM rollout_plan')).length;
    await age(29);
    await stack.app.get(RetentionService).round();
    expect(await left()).toBe(2);
    await age(31);
    await stack.app.get(RetentionService).round();
    expect(await left()).toBe(1);
    expect(await stack.database.query('SELECT plan_id FROM action')).toEqual([{ plan_id: id }]);
    expect(await stack.database.query('SELECT 1 FROM rollout_plan_target WHERE plan_id = $1', [id])).toEqual([]);
  });

  it('is listed newest first, page by page', async () => {
    await bench.connected(1);
    const made = [await bench.plan(PROD), await bench.plan(PROD), await bench.plan({ all: true })].map(({ id }) => id);
    const first = (await stack.call<RolloutPlanList>('GET', '/rollout-plans?limit=2')).body;
    const next = (await stack.call<RolloutPlanList>('GET', `/rollout-plans?limit=2&cursor=${first.nextCursor}`)).body;
    expect([...first.items, ...next.items].map(({ id }) => id)).toEqual(made.toReversed());
    expect(next.nextCursor).toBeNull();
  });
});
