import { ActionPhase, Outcome, requestDigest } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Action, ActionList, Problem } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { ActionStack } from './testing/action-stack.ts';
import { resultOf, type FakeHost } from './testing/fake-host.ts';

let stack: ActionStack;
let host: FakeHost;

onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
beforeEach(async () => {
  host = await stack.enroll('web-1');
});
afterEach(() => stack.reset());

const unload = { host: 'web-1', verb: 'unload', kmod: 'floppy' };
const show = async (id: string): Promise<Action> => (await stack.call<Action>('GET', `/actions/${id}`)).body;
const create = async (body: object = unload): Promise<Action> => {
  const answer = await stack.call<Action>('POST', '/actions', body);
  expect(answer.status).toBe(202);
  return answer.body;
};

describe('an action on one host', () => {
  it('is stored, sent, followed and ended by what the host reports', async () => {
    await stack.connect(host);
    const answer = await stack.call<Action>('POST', '/actions', { ...unload, reason: 'CVE', expiresIn: 60 });
    expect(answer.headers.get('location')).toBe(`/api/v1/actions/${answer.body.id}`);
    const { id } = answer.body;
    const request = await host.next('actionRequest');
    expect(request).toMatchObject({ actionId: id, hostId: host.id, kmod: 'floppy', parameters: [], dryRun: false });
    expect(request.expiresAtMs).toBe(Date.parse(answer.body.expiresAt));
    expect(await show(id)).toMatchObject({ state: 'dispatched', message: 'Sent to web-1, not yet confirmed.' });

    await host.says(ActionPhase.ACTION_PHASE_RECEIVED, id);
    expect(await show(id)).toMatchObject({ state: 'received' });
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    expect(await show(id)).toMatchObject({ state: 'started', outcome: null });
    const reloadPaths = [{ kind: 'alias', value: 'platform:floppy' }];
    const step = { kind: 'rmmod', kmod: 'floppy', parameters: [], because: 'asked for' };
    const steps = [{ step, exitCode: 0, stderr: '', errno: '', durationMs: 12, verified: true }];
    await host.reports(
      resultOf(request, Outcome.OUTCOME_SUCCEEDED, { steps, reloadPaths, loadedAfter: false, taintAfter: 0 }),
    );
    expect(await host.next('resultAck')).toEqual({ actionIds: [id] });

    const ended = await show(id);
    expect(ended).toMatchObject({
      state: 'ended',
      outcome: 'succeeded',
      canReturn: true,
      reason: 'CVE',
      requestedBy: 'ops',
      freeze: null,
    });
    expect(ended.message).toBe(
      'floppy is unloaded on web-1, seen in /proc/modules. It can return: alias platform:floppy.',
    );
    expect(ended.result).toMatchObject({
      loadedAfter: false,
      reloadPaths,
      steps: [{ kind: 'rmmod', exitCode: 0, verified: true }],
    });
    expect(ended.timeline.map(({ state }) => state)).toEqual(['queued', 'dispatched', 'received', 'started', 'ended']);
  });

  it('waits for a silent host and is sent when it comes', async () => {
    const action = await create({ host: host.id, verb: 'load', kmod: 'dm-mod', parameters: { b: '2', a: '1' } });
    expect(action).toMatchObject({ state: 'queued', kmod: 'dm_mod', parameters: { a: '1', b: '2' } });
    expect(action.message).toMatch(/^Not sent: web-1 is not connected\./);
    await stack.connect(host);
    expect(await host.next('actionRequest')).toMatchObject({
      actionId: action.id,
      kmod: 'dm_mod',
      parameters: ['a=1', 'b=2'],
    });
  });

  it('goes one at a time, in the order of asking', async () => {
    await stack.connect(host);
    const ids: string[] = [];
    for (const kmod of ['one', 'two', 'three']) {
      ids.push((await create({ ...unload, kmod })).id);
      await stack.idle();
    }
    for (const id of ids) {
      const request = await host.next('actionRequest');
      await stack.driveAll();
      await stack.idle();
      expect([request.actionId, host.heard]).toEqual([id, []]);
      const inFlight = (await stack.call<ActionList>('GET', '/actions?state=dispatched')).body.items;
      expect(inFlight.map((item) => item.id)).toEqual([id]);
      await host.reports(resultOf(request, Outcome.OUTCOME_REFUSED));
      expect(await host.next('resultAck')).toEqual({ actionIds: [id] });
    }
    expect((await stack.call<ActionList>('GET', '/actions?outcome=refused')).body.items).toHaveLength(3);
  });

  it('goes back to the queue when nothing was written', async () => {
    await stack.connect(host, { outboxFull: true });
    const { id } = await create();
    const notes = async (): Promise<string[]> => (await show(id)).timeline.map(({ note }) => note);
    await expect.poll(notes, { timeout: 10_000 }).toContainEqual(expect.stringContaining('not sent after all'));
    await host.disconnect(stack.database);
    await stack.idle();
    expect(await show(id)).toMatchObject({ state: 'queued', outcome: null });
    await stack.connect(host);
    expect(await host.next('actionRequest')).toMatchObject({ actionId: id });
  });

  it('keeps the digest of the request that is sent', async () => {
    await stack.connect(host);
    const { id } = await create();
    const request = await host.next('actionRequest');
    const rows = await stack.database.query<{ request_digest: Buffer }>(
      'SELECT request_digest FROM action WHERE id = $1',
      [id],
    );
    expect(rows[0]?.request_digest.equals(requestDigest(request))).toBe(true);
  });
});

describe('what is not accepted', () => {
  const problem = async (body: unknown, headers: Record<string, string> = {}): Promise<Problem> => {
    const answer = await stack.call<Problem>('POST', '/actions', body, headers);
    expect(answer.status).toBe(answer.body.status);
    return answer.body;
  };

  it.each([
    ['an unknown host', { ...unload, host: 'web-9' }, 404, 'host_not_found'],
    ['an unknown verb', { ...unload, verb: 'force' }, 400, 'body_invalid'],
    ['an unknown field', { ...unload, force: true }, 400, 'body_invalid'],
    ['a path', { ...unload, kmod: '/lib/floppy.ko' }, 400, 'kmod_name_invalid'],
    ['an option', { ...unload, kmod: '-r' }, 400, 'kmod_name_invalid'],
    ['shell text', { ...unload, kmod: 'floppy; reboot' }, 400, 'kmod_name_invalid'],
    ['a newline', { ...unload, kmod: 'floppy\n' }, 400, 'kmod_name_invalid'],
    ['a look-alike letter', { ...unload, kmod: 'flоppy' }, 400, 'kmod_name_invalid'],
    ['no name', { ...unload, kmod: '' }, 400, 'kmod_name_invalid'],
    ['a name too long', { ...unload, kmod: 'a'.repeat(56) }, 400, 'kmod_name_invalid'],
    ['a NUL', { ...unload, reason: 'a\0b' }, 400, 'body_invalid'],
    ['parameters of an unload', { ...unload, parameters: { a: '1' } }, 400, 'body_invalid'],
    ['white space in a value', { ...unload, verb: 'load', parameters: { a: '1 b=2' } }, 400, 'body_invalid'],
    ['a quote in a value', { ...unload, verb: 'load', parameters: { a: '"' } }, 400, 'body_invalid'],
    ['an equals sign in a name', { ...unload, verb: 'load', parameters: { 'a=b': '1' } }, 400, 'body_invalid'],
    ['an expiry too far', { ...unload, expiresIn: 86_401 }, 400, 'body_invalid'],
  ])('%s', async (_what, body, status, code) => {
    expect(await problem(body)).toMatchObject({ status, code });
    expect((await stack.call<ActionList>('GET', '/actions')).body.items).toEqual([]);
  });

  it('a host that is retired, quarantined or not the only one of its name', async () => {
    const gone = await stack.enroll('gone');
    const odd = await stack.enroll('odd');
    const twin = await stack.enroll('web-1');
    await stack.database.query(`UPDATE host SET retired_at = now() WHERE id = $1`, [gone.id]);
    await stack.database.query(`UPDATE host SET quarantined_at = now(), quarantine_reason = 'clone' WHERE id = $1`, [
      odd.id,
    ]);
    expect(await problem({ ...unload, host: gone.id })).toMatchObject({ status: 409, code: 'host_retired' });
    expect(await problem({ ...unload, host: 'odd' })).toMatchObject({ status: 409, code: 'host_quarantined' });
    const ambiguous = await problem(unload);
    expect(ambiguous).toMatchObject({ status: 409, code: 'host_ambiguous' });
    expect(ambiguous.candidates?.toSorted()).toEqual([host.id, twin.id].toSorted());
  });

  it('the same idempotency key with another body; with the same body the answer is repeated', async () => {
    const key = { 'idempotency-key': 'once' };
    const first = await stack.call<Action>('POST', '/actions', unload, key);
    const again = await stack.call<Action>('POST', '/actions', { kmod: 'floppy', verb: 'unload', host: 'web-1' }, key);
    expect([again.status, again.body.id, again.headers.get('location')]).toEqual([
      202,
      first.body.id,
      first.headers.get('location'),
    ]);
    expect(await problem({ ...unload, kmod: 'other' }, key)).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
    });
    expect((await stack.call<ActionList>('GET', '/actions')).body.items).toHaveLength(1);
  });

  it('a quarantine that comes after the asking: nothing is sent', async () => {
    const { id } = await create();
    await stack.database.query(`UPDATE host SET quarantined_at = now(), quarantine_reason = 'clone' WHERE id = $1`, [
      host.id,
    ]);
    await stack.connect(host);
    await stack.idle();
    expect(host.heard).toEqual([]);
    expect(await show(id)).toMatchObject({ state: 'queued' });
  });
});

describe('lists', () => {
  it('are newest first, filtered, and paged without gap or repetition', async () => {
    const other = await stack.enroll('web-2');
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1)
      ids.unshift((await create({ ...unload, host: index % 2 === 0 ? host.id : other.id })).id);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: ActionList = (await stack.call<ActionList>('GET', `/actions?limit=3${query}`)).body;
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    const ofOther = (await stack.call<ActionList>('GET', '/actions?host=web-2&state=queued&kmod=floppy')).body.items;
    expect(ofOther.map((item) => item.host.name)).toEqual(['web-2', 'web-2', 'web-2']);
  });

  it.each([
    ['?limit=0', 'limit_invalid'],
    ['?limit=1000000000', 'limit_invalid'],
    ['?cursor=AAAA', 'cursor_invalid'],
    ['?state=done', 'query_invalid'],
    ['?host=nobody', 'host_not_found'],
  ])('refuse %s', async (query, code) => {
    expect((await stack.call<Problem>('GET', `/actions${query}`)).body.code).toBe(code);
  });

  it('no such action', async () => {
    for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
      for (const path of [`/actions/${id}`, `/actions/${id}/watch`]) {
        expect((await stack.call<Problem>('GET', path)).body.code).toBe('action_not_found');
      }
      expect((await stack.call<Problem>('POST', `/actions/${id}/cancel`, {})).body.code).toBe('action_not_found');
    }
  });
});
