import { randomUUID } from 'node:crypto';
import { ActionPhase, Outcome } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action, Problem } from '../api-types.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { ActionStack } from './testing/action-stack.ts';
import { resultOf, type FakeHost } from './testing/fake-host.ts';
import { TcpGate } from './testing/tcp-gate.ts';

let postgres: TestPostgres;
let gate: TcpGate;
let stack: ActionStack;
let host: FakeHost;

beforeAll(async () => {
  postgres = await startTestPostgres();
  gate = await TcpGate.before((await postgres.createDatabase()).url);
  stack = await ActionStack.start(gate.url);
});
afterAll(async () => {
  await stack?.stop();
  await gate?.close();
  await postgres?.close();
});
beforeEach(async () => {
  host = await stack.enroll('web-1');
});
afterEach(() => stack.reset());

const unload = { host: 'web-1', verb: 'unload', kmod: 'floppy' };
const show = async (id: string): Promise<Action> => (await stack.call<Action>('GET', `/actions/${id}`)).body;
const create = async (body: object = unload): Promise<string> =>
  (await stack.call<Action>('POST', '/actions', body)).body.id;
const keptApart = (): Promise<{ action_id: string; host_id: string; result: { why: string }[] }[]> =>
  stack.database.query('SELECT action_id, host_id, result FROM unknown_result ORDER BY received_at');
/** Moves an action into the past, as if this much time had gone by. */
const age = (id: string, seconds: number): Promise<unknown> =>
  stack.database.query(
    `UPDATE action SET expires_at = expires_at - make_interval(secs => $2), next_sweep_at = next_sweep_at - make_interval(secs => $2) WHERE id = $1`,
    [id, seconds],
  );

describe('results', () => {
  it('said again are acknowledged again and change nothing', async () => {
    await stack.connect(host);
    const id = await create();
    const result = resultOf(await host.next('actionRequest'), Outcome.OUTCOME_FAILED);
    await host.reports(result);
    const first = await show(id);
    await host.reports(result);
    await host.reports(result);
    for (let index = 0; index < 3; index += 1) expect(await host.next('resultAck')).toEqual({ actionIds: [id] });
    expect(await show(id)).toEqual(first);
    expect(await keptApart()).toEqual([]);
  });

  it('of an unknown id, of another host and of another request are kept apart and acknowledged', async () => {
    const stranger = await stack.enroll('web-2');
    await stack.connect(host);
    await stack.connect(stranger);
    const id = await create();
    const request = await host.next('actionRequest');
    const nowhere = randomUUID();
    await host.reports(resultOf({ ...request, actionId: nowhere }, Outcome.OUTCOME_SUCCEEDED));
    await stranger.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    await host.reports({ ...resultOf(request, Outcome.OUTCOME_SUCCEEDED), requestDigest: Buffer.alloc(32) });
    const rows = await keptApart();
    expect(rows.map((row) => [row.action_id, row.host_id, row.result.map(({ why }) => why)])).toEqual([
      [nowhere, host.id, ['no such action']],
      [id, stranger.id, ['an action of another host']],
      [id, host.id, ['the report is about another request under the same id']],
    ]);
    expect(await show(id)).toMatchObject({ state: 'dispatched', outcome: null });
    expect(await stranger.next('resultAck')).toEqual({ actionIds: [id] });
  });

  it('that come before their progress win; the progress changes nothing more', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED, { startedAtMs: Date.now() }));
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'succeeded' });
  });

  it('may hold anything in their texts', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    const stderr = `a\0b${'\u{1F4BE}'.repeat(4000)}`;
    const step = { kind: 'rmmod', kmod: 'floppy', parameters: [], because: '' };
    await host.reports(
      resultOf(request, Outcome.OUTCOME_FAILED, {
        message: 'no\0',
        steps: [{ step, stderr, errno: 'EAGAIN', durationMs: 1, verified: false }],
      }),
    );
    expect((await show(id)).result?.steps[0]?.stderr).toMatch(/^a\uFFFDb\u{1F4BE}/u);
  });
});

describe('a host that comes back', () => {
  it('is not heard over its old session any more: it was sent the action again', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    const late = host.lateReport(resultOf(request, Outcome.OUTCOME_REFUSED));
    await host.disconnect(stack.database);
    await stack.connect(host);
    await host.next('actionRequest');
    await late();
    expect(await show(id)).toMatchObject({ state: 'dispatched', outcome: null });
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'succeeded' });
    expect(await keptApart()).toEqual([]);
  });

  it('is sent again what it was sent, until it says how it ended', async () => {
    await stack.connect(host);
    const id = await create();
    const first = await host.next('actionRequest');
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    await host.disconnect(stack.database);
    await stack.connect(host);
    expect(await host.next('actionRequest')).toEqual({ ...first, sentBefore: true });
    await host.reports(resultOf(first, Outcome.OUTCOME_SUCCEEDED));
    await host.disconnect(stack.database);
    await stack.connect(host);
    await stack.idle();
    expect(host.heard.filter((message) => message.$case === 'actionRequest')).toEqual([]);
  });

  it('after an action was called unconfirmed is asked for it, and its word resolves it once', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await host.disconnect(stack.database);
    await age(id, 120 + 61);
    await stack.sweeper.sweep();
    const lost = await show(id);
    expect(lost).toMatchObject({ state: 'ended', outcome: 'unconfirmed', resolvedOutcome: null });
    expect(lost.message).toMatch(/^Unconfirmed: .* It may have run/);
    await stack.connect(host);
    expect(await host.next('actionRequest')).toMatchObject({ actionId: id });
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    expect(await show(id)).toMatchObject({ outcome: 'unconfirmed', resolvedOutcome: 'succeeded' });
    await host.reports(resultOf(request, Outcome.OUTCOME_FAILED));
    expect(await show(id)).toMatchObject({ outcome: 'unconfirmed', resolvedOutcome: 'succeeded' });
    expect((await keptApart()).map((row) => row.result.length)).toEqual([1]);
  });

  it('with a stuck action: the first report and the one that resolves it are both kept', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await host.reports(resultOf(request, Outcome.OUTCOME_STUCK, { reasonCode: 'stuck' }));
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED, { loadedAfter: false }));
    expect(await show(id)).toMatchObject({
      outcome: 'stuck',
      resolvedOutcome: 'succeeded',
      result: { loadedAfter: false },
    });
    const rows = await stack.database.query<{ earlier: { reasonCode: string } }>(
      `SELECT result -> 'earlier' AS earlier FROM action WHERE id = $1`,
      [id],
    );
    expect(rows[0]?.earlier.reasonCode).toBe('stuck');
  });
});

describe('time', () => {
  it('ends what was never sent as expired, and it is not sent any more', async () => {
    const id = await create();
    await age(id, 121);
    await stack.connect(host);
    await stack.idle();
    expect(host.heard).toEqual([]);
    await stack.sweeper.sweep();
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'expired' });
  });

  it('calls nothing unconfirmed within a minute of its expiry', async () => {
    await stack.connect(host);
    const id = await create();
    await host.next('actionRequest');
    await age(id, 120 + 55);
    await stack.sweeper.sweep();
    expect(await show(id)).toMatchObject({ state: 'dispatched' });
  });

  it('ends what is due behind a row that cannot be read', async () => {
    const [bad, good] = [await create(), await create({ ...unload, kmod: 'other' })];
    await stack.database.query('UPDATE action SET verb = 99 WHERE id = $1', [bad]);
    await age(bad, 130);
    await age(good, 125);
    await stack.sweeper.sweep();
    expect(await show(good)).toMatchObject({ state: 'ended', outcome: 'expired' });
    expect(await stack.database.query('SELECT state FROM action WHERE id = $1', [bad])).toEqual([{ state: 'queued' }]);
  });

  it('lets the queue move on after an action was called unconfirmed', async () => {
    await stack.connect(host);
    const first = await create();
    await host.next('actionRequest');
    const second = await create({ ...unload, kmod: 'other' });
    await age(first, 120 + 61);
    await stack.sweeper.sweep();
    expect(await host.next('actionRequest')).toMatchObject({ actionId: second });
  });
});

describe('Postgres away', () => {
  afterEach(() => gate.mend());

  it('between the asking and the sending: nothing accepted is lost', async () => {
    const id = await create();
    gate.cut();
    await stack.connectBlind(host);
    const refused = await stack.call<Problem>('POST', '/actions', unload);
    expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
      503,
      'database_unavailable',
      '2',
    ]);
    await stack.idle();
    expect(host.heard).toEqual([]);
    gate.mend();
    await stack.openSession(host);
    await stack.driveAll();
    expect(await host.next('actionRequest')).toMatchObject({ actionId: id });
  });

  it('when a result comes: it is stored and acknowledged when Postgres is back', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    gate.cut();
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    expect(host.heard).toEqual([]);
    gate.mend();
    expect(await host.next('resultAck')).toEqual({ actionIds: [id] });
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'succeeded' });
  });
});

describe('a server that stops with an action under way', () => {
  it('leaves it to the next one', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    const next = await ActionStack.start(gate.url);
    try {
      await host.disconnect(stack.database);
      await next.connect(host);
      expect(await host.next('actionRequest')).toEqual({ ...request, sentBefore: true });
      await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
      expect((await next.call<Action>('GET', `/actions/${id}`)).body).toMatchObject({
        state: 'ended',
        outcome: 'succeeded',
      });
    } finally {
      await host.disconnect(stack.database);
      await next.stop();
    }
  });
});

describe('two replicas', () => {
  let other: ActionStack;
  beforeAll(async () => {
    other = await ActionStack.start(gate.url);
  });
  afterAll(() => other?.stop());

  it('what one is asked for, the one that holds the session sends', async () => {
    await other.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    expect(request.actionId).toBe(id);
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    await expect.poll(async () => (await show(id)).state, { timeout: 10_000 }).toBe('ended');
  });

  it('one that does not hold the session any more sends nothing', async () => {
    const id = await create();
    await other.connect(host, { outboxFull: true });
    await other.idle();
    const before = await show(id);
    expect(before).toMatchObject({ state: 'queued' });
    await stack.connectBlind(host);
    await stack.wake(host);
    await stack.idle();
    expect(host.heard).toEqual([]);
    expect(await show(id)).toEqual(before);
  });

  it('a session that moves while both try is sent one action', async () => {
    const ids = [await create(), await create({ ...unload, kmod: 'other' })];
    await stack.connect(host);
    await other.connect(host);
    await Promise.all([stack.driveAll(), other.driveAll()]);
    await Promise.all([stack.idle(), other.idle()]);
    const sent = host.heard.flatMap((message) => (message.$case === 'actionRequest' ? [message.value.actionId] : []));
    expect(new Set(sent)).toEqual(new Set([ids[0]]));
  });
});
