import { ActionPhase, Outcome } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Action, CancelResult, FreezeAnswer, Problem } from '../api-types.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { ActionStack, eventsOf } from './testing/action-stack.ts';
import { resultOf, type FakeHost } from './testing/fake-host.ts';

let postgres: TestPostgres;
let stack: ActionStack;
let other: ActionStack;
let host: FakeHost;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const { url } = await postgres.createDatabase();
  stack = await ActionStack.start(url);
  other = await ActionStack.start(url);
});
afterAll(async () => {
  await other?.stop();
  await stack?.stop();
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
const cancel = async (id: string, at: ActionStack = stack): Promise<CancelResult> =>
  (await at.call<CancelResult>('POST', `/actions/${id}/cancel`, {})).body;

describe('cancel', () => {
  it('of what was never sent is done at once, and it is never sent', async () => {
    const id = await create();
    expect(await cancel(id)).toMatchObject({
      cancelled: true,
      action: { state: 'ended', outcome: 'cancelled' },
      freeze: null,
    });
    await stack.connect(host);
    await stack.idle();
    expect(host.heard).toEqual([]);
    expect(await cancel(id)).toMatchObject({ cancelled: true });
  });

  it('of what was sent is true only when the host says that it had not started', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    const asking = cancel(id);
    expect(await host.next('actionCancel')).toEqual({ actionId: id });
    await host.reports(resultOf(request, Outcome.OUTCOME_CANCELLED));
    expect(await asking).toMatchObject({ cancelled: true, action: { outcome: 'cancelled' } });
  });

  it('that comes too late is false, at the host as at the server', async () => {
    await stack.connect(host);
    const id = await create();
    await host.next('actionRequest');
    const asking = cancel(id);
    await host.next('actionCancel');
    await host.says(ActionPhase.ACTION_PHASE_CANCEL_REFUSED, id);
    const refused = await asking;
    // What the host did not say is not concluded: it may have started, or ended.
    expect(refused).toMatchObject({ cancelled: false, action: { state: 'dispatched' } });
    expect(refused.action.message).toBe('Sent to web-1, not yet confirmed.');
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    expect(await cancel(id)).toMatchObject({ cancelled: false, action: { state: 'started' } });
    expect(host.heard.filter((message) => message.$case === 'actionCancel')).toEqual([]);
  });

  it('without a word of the host is false after a moment, and says that it was asked for', async () => {
    await stack.connect(host);
    const id = await create();
    await host.next('actionRequest');
    const answer = await cancel(id);
    expect(answer).toMatchObject({ cancelled: false, action: { state: 'dispatched', outcome: null } });
    expect(answer.action.message).toBe(
      'Sent to web-1, not yet confirmed. ops asked to cancel it; web-1 has not answered that.',
    );
  });

  it('is what a host that comes back hears, and not the action again', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await host.disconnect(stack.database);
    await cancel(id);
    await stack.connect(host);
    expect(await host.next('actionCancel')).toEqual({ actionId: id });
    await stack.idle();
    expect(host.heard.filter((message) => message.$case === 'actionRequest')).toEqual([]);
    // A host that never saw the action knows no digest of it.
    await host.reports({ ...resultOf(request, Outcome.OUTCOME_CANCELLED), requestDigest: Buffer.alloc(0) });
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'cancelled' });
  });

  it('reaches a host that another replica holds', async () => {
    await other.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    const asking = cancel(id);
    await host.next('actionCancel');
    await host.reports(resultOf(request, Outcome.OUTCOME_CANCELLED));
    expect(await asking).toMatchObject({ cancelled: true });
  });
});

describe('watch', () => {
  it('gives the state first, each version after it, and ends with the end; through any replica', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    await stack.idle();
    const response = await other.fetch('GET', `/actions/${id}/watch`);
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const events = eventsOf(response);
    const next = async (): Promise<unknown[]> => {
      const { value } = await events.next();
      return [value?.event, value?.data['state'], value?.id === String(value?.data['version'])];
    };
    expect(await next()).toEqual(['action', 'dispatched', true]);
    await host.says(ActionPhase.ACTION_PHASE_RECEIVED, id);
    expect(await next()).toEqual(['action', 'received', true]);
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    expect(await next()).toEqual(['action', 'started', true]);
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    expect(await next()).toEqual(['action', 'ended', true]);
    expect(await events.next()).toMatchObject({ done: true });
  });

  it('honours Last-Event-ID', async () => {
    const id = await create();
    const { version } = await show(id);
    const response = await stack.fetch('GET', `/actions/${id}/watch`, undefined, { 'last-event-id': String(version) });
    const events = eventsOf(response);
    await cancel(id);
    const { value } = await events.next();
    expect(value?.data).toMatchObject({ state: 'ended', outcome: 'cancelled' });
    const seen = String(value?.data['version']);
    expect((await stack.fetch('GET', `/actions/${id}/watch`, undefined, { 'last-event-id': seen })).status).toBe(204);
    expect(
      (await stack.call('GET', `/actions/${id}/watch`, undefined, { accept: 'application/x-ndjson' })).body,
    ).toMatchObject({
      event: 'action',
      data: { outcome: 'cancelled' },
    });
  });

  it('ends when the server stops', async () => {
    const id = await create();
    const short = await ActionStack.start(stack.databaseUrl);
    const events = eventsOf(await short.fetch('GET', `/actions/${id}/watch`));
    await events.next();
    await short.stop();
    expect(await events.next()).toMatchObject({ done: true });
  });
});

describe('freeze', () => {
  const freeze = (reason = 'incident 7'): Promise<{ status: number; body: FreezeAnswer }> =>
    stack.call<FreezeAnswer>('POST', '/freeze', { reason });
  const thaw = (): Promise<{ body: FreezeAnswer }> => stack.call<FreezeAnswer>('POST', '/thaw', {});

  it('is shown on every answer, takes no action, and says who and why', async () => {
    const answer = await freeze();
    expect([answer.status, answer.body.freeze]).toMatchObject([200, { by: 'ops', reason: 'incident 7' }]);
    const refused = await stack.call<Problem>('POST', '/actions', unload);
    expect([refused.status, refused.body.code]).toEqual([423, 'frozen']);
    expect(refused.body.detail).toContain('incident 7');
    for (const path of ['/actions', '/hosts'])
      expect((await stack.call('GET', path)).body['freeze']).toEqual(answer.body.freeze);
    expect((await stack.call<Problem>('POST', '/freeze', { reason: ' ' })).body.code).toBe('body_invalid');
    expect((await thaw()).body).toEqual({ freeze: null });
    expect((await stack.call('GET', '/actions')).body['freeze']).toBeNull();
  });

  it('sends nothing, through no replica, neither what waits nor what was sent before; the thaw sends both', async () => {
    await stack.connect(host);
    const sent = await create();
    await host.next('actionRequest');
    const waits = await create({ ...unload, kmod: 'other' });
    await host.disconnect(stack.database);
    const second = await stack.enroll('web-2');
    const queued = await create({ ...unload, host: 'web-2' });
    await freeze();
    await other.connect(host);
    await other.connect(second);
    await other.driveAll();
    await other.wake(second);
    await other.idle();
    expect([host.heard, second.heard]).toEqual([[], []]);
    expect(await show(sent)).toMatchObject({ state: 'dispatched' });
    expect(await show(queued)).toMatchObject({ state: 'queued' });
    await thaw();
    const again = await host.next('actionRequest');
    expect(again.actionId).toBe(sent);
    expect(await second.next('actionRequest')).toMatchObject({ actionId: queued });
    await host.reports(resultOf(again, Outcome.OUTCOME_UNCHANGED));
    expect(await host.next('actionRequest')).toMatchObject({ actionId: waits });
  });

  it('still takes results, cancels and questions', async () => {
    await stack.connect(host);
    const id = await create();
    const request = await host.next('actionRequest');
    const waits = await create({ ...unload, kmod: 'other' });
    await freeze();
    expect(await cancel(waits)).toMatchObject({ cancelled: true });
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    expect(await show(id)).toMatchObject({ outcome: 'succeeded' });
  });

  it('holds against any number of dispatches that race with it', async () => {
    const hosts = await Promise.all(Array.from({ length: 12 }, (_, index) => stack.enroll(`race-${index}`)));
    for (const each of hosts) {
      await stack.connect(each);
      await create({ ...unload, host: each.id });
    }
    await stack.idle();
    for (const each of hosts) {
      const request = await each.next('actionRequest');
      await create({ ...unload, host: each.id });
      void each.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    }
    await freeze();
    const heardAtFreeze = hosts.map((each) => each.heard.filter((message) => message.$case === 'actionRequest').length);
    await stack.driveAll();
    await stack.idle();
    const dispatched = await stack.database.query<{ late: boolean }>(
      'SELECT a.dispatched_at > f.at AS late FROM action a, fleet_freeze f WHERE a.dispatched_at IS NOT NULL',
    );
    expect(dispatched.some(({ late }) => late)).toBe(false);
    const heardAfter = hosts.map((each) => each.heard.filter((message) => message.$case === 'actionRequest').length);
    expect(heardAfter).toEqual(heardAtFreeze);
  });
});
