import { Outcome } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { ActionStack } from '../../actions/testing/action-stack.ts';
import { type FakeHost, resultOf } from '../../actions/testing/fake-host.ts';
import type { ActionList } from '../../api-types.ts';
import { onTestDatabase } from '../../testing/on-test-database.ts';
import { PlanBench, WOULD_UNLOAD } from '../testing/plan-bench.ts';
import { PlanSettler } from './plan-settler.service.ts';

let stack: ActionStack;
let other: ActionStack;
const bench = new PlanBench(() => stack);
onTestDatabase(async (url) => {
  stack = await ActionStack.start(url);
  other = await ActionStack.start(url);
  return { stop: async () => void (await Promise.all([stack.stop(), other.stop()])) };
});
afterEach(() => stack.reset());

const PROD = { selector: 'env=prod' };
const round = (at: ActionStack): Promise<void> => at.app.get(PlanSettler).round();
const stateOf = async (id: string): Promise<unknown> =>
  (await stack.database.query<{ state: string }>('SELECT state FROM rollout_plan WHERE id = $1', [id]))[0]?.state;

/** What everybody answers, without anybody being told that it was the last answer. */
async function answeredQuietly(hosts: readonly FakeHost[]): Promise<void> {
  for (const host of hosts) {
    const request = await host.next('actionRequest');
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED, { verdict: WOULD_UNLOAD }));
  }
}

describe('settling', () => {
  it('is done once by two replicas that look at once, again and again', async () => {
    const hosts = await bench.connected(4);
    for (let time = 0; time < 5; time += 1) {
      const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
      await answeredQuietly(hosts);
      await Promise.all([round(stack), round(other), round(stack), round(other)]);
      const plan = await bench.ready(id);
      expect(plan.counts).toMatchObject({ total: 4, wouldChange: 4 });
      expect(plan.classes).toMatchObject([{ hosts: 4 }]);
      await Promise.all([round(stack), round(other)]);
      expect(await bench.show(id)).toEqual(plan);
    }
  });

  it('comes soon after the last answer, through whichever replica holds the host', async () => {
    const here = await stack.enroll('web-1');
    const there = await stack.enroll('web-2');
    await bench.label([here, there], 'prod');
    await stack.connect(here);
    await other.connect(there);
    const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
    await answeredQuietly([here, there]);
    expect((await bench.ready(id)).counts).toMatchObject({ total: 2, wouldChange: 2 });
  });

  it('that dies in the middle leaves nothing, and another replica does it', async () => {
    const hosts = await bench.connected(2);
    const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
    // Whoever settles gets as far as the targets and no further.
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let held = (): void => undefined;
    const holding = new Promise<void>((resolve) => (held = resolve));
    const blocker = stack.database.tx('READ COMMITTED', async (sql) => {
      await sql.query('SELECT 1 FROM rollout_plan_target WHERE plan_id = $1 FOR UPDATE', [id]);
      held();
      await released;
    });
    await holding;
    await answeredQuietly(hosts);
    const stuck = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE rollout_plan_target%' AND datname = current_database()`;
    await expect.poll(async () => (await stack.database.query(stuck)).length, { timeout: 10_000 }).toBe(1);
    await stack.database.query(`SELECT pg_terminate_backend(pid) FROM (${stuck}) s`);
    release();
    await blocker;
    expect((await bench.ready(id)).counts).toMatchObject({ total: 2, wouldChange: 2 });
  });

  it('waits for hosts that have not answered, and for nobody once the time is over', async () => {
    const [host] = await bench.connected(1);
    const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
    await host?.next('actionRequest');
    await Promise.all([round(stack), round(other)]);
    expect(await stateOf(id)).toBe('asking');
    await stack.database.query('UPDATE rollout_plan SET answers_until = now()');
    await Promise.all([round(stack), round(other)]);
    expect((await bench.ready(id)).unknowns).toMatchObject([{ code: 'no_answer', hosts: 1 }]);
  });

  it('takes back dry runs that were not sent, once, and says whose doing it was', async () => {
    const hosts = await bench.connected(3);
    for (const host of hosts) await host.disconnect(stack.database);
    // Connected as far as the row says; no process has the stream, so nothing can be sent.
    for (const host of hosts) await stack.openSession(host);
    const { id } = await bench.plan({ ...PROD, answerWithin: 600 });
    await stack.idle();
    await stack.database.query('UPDATE rollout_plan SET answers_until = now()');
    await Promise.all([round(stack), round(other)]);
    expect((await bench.ready(id)).unknowns).toMatchObject([{ code: 'no_answer', hosts: 3 }]);
    const { items } = (await stack.call<ActionList>('GET', '/actions')).body;
    expect(items).toHaveLength(3);
    for (const { outcome, message, version } of items)
      expect([outcome, message, version]).toEqual([
        'cancelled',
        expect.stringMatching(/^Cancelled by the end of its plan before it started on web-\d\.$/),
        2,
      ]);
  });
});
