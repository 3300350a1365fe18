import { ActionPhase, ConfirmEnd, Outcome } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import type { PeerIdentity } from '../agent-session/peer-identity.ts';
import type { Action } from '../api-types.ts';
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

const PEER = '10.0.0.7:40123';
const reload = { host: 'web-1', verb: 'reload', kmod: 'virtio_net', confirmWindow: 60, overrides: ['route'] };
const show = async (id: string): Promise<Action> => (await stack.call<Action>('GET', `/actions/${id}`)).body;

async function identityOf(one: FakeHost): Promise<PeerIdentity> {
  const [row] = await stack.database.query<{ key_fingerprint: Buffer }>(
    'SELECT key_fingerprint FROM host WHERE id = $1',
    [one.id],
  );
  return { hostId: one.id, keyFingerprint: row?.key_fingerprint ?? Buffer.alloc(0), serial: '', notAfterMs: 0 };
}

const confirm = async (one: FakeHost, id: string) =>
  stack.app.get(AgentGateway).confirm(await identityOf(one), id, PEER);

async function sent(
  body: object = reload,
): Promise<{ id: string; request: Awaited<ReturnType<typeof host.next<'actionRequest'>>> }> {
  await stack.connect(host);
  const { id } = (await stack.call<Action>('POST', '/actions', body)).body;
  return { id, request: await host.next('actionRequest') };
}

describe('the confirm', () => {
  it('is asked for with the action, and the window is in its digest', async () => {
    const { request, id } = await sent();
    expect([request.confirmWindowSeconds, request.overrides]).toEqual([60, ['route']]);
    expect(await show(id)).toMatchObject({ confirmWindow: 60, overrides: ['route'] });
  });

  it('is given to the host of an open action, also before its progress arrived, and is not success', async () => {
    const { id } = await sent();
    expect((await confirm(host, id)).kind).toBe('given');
    const action = await show(id);
    expect(action).toMatchObject({ state: 'started', outcome: null, confirm: { offeredTo: PEER } });
    expect(action.message).toContain('not kept before');
    expect((await confirm(host, id)).kind).toBe('given');
  });

  it('is not given to another host, for an unknown id, without a window, or after the end', async () => {
    const stranger = await stack.enroll('web-2');
    const { id, request } = await sent();
    expect((await confirm(stranger, id)).kind).toBe('unknown');
    expect((await confirm(host, 'nonsense')).kind).toBe('unknown');
    await host.reports(resultOf(request, Outcome.OUTCOME_REVERTED));
    expect((await confirm(host, id)).kind).toBe('refused');
    const plain = (await stack.call<Action>('POST', '/actions', { host: 'web-1', verb: 'load', kmod: 'floppy' })).body;
    await host.next('actionRequest');
    expect((await confirm(host, plain.id)).kind).toBe('refused');
    expect((await show(plain.id)).confirm).toBeNull();
  });

  it('is not given to a quarantined host', async () => {
    const { id } = await sent();
    await stack.database.query('UPDATE host SET quarantined_at = now() WHERE id = $1', [host.id]);
    expect(await confirm(host, id)).toMatchObject({ kind: 'refused' });
  });

  it('that was given and never heard stays beside the revert', async () => {
    const { id, request } = await sent();
    await host.says(ActionPhase.ACTION_PHASE_STARTED, id);
    await confirm(host, id);
    const report = {
      end: ConfirmEnd.CONFIRM_END_REVERTED,
      cause: 'no_server',
      windowSeconds: 60,
      deadlineMs: 0,
      attempts: 9,
      localAddress: '',
      restored: [],
      missing: [],
      rebootedToRecover: false,
      endedBy: 'timer',
    };
    await host.reports({ ...resultOf(request, Outcome.OUTCOME_REVERTED), confirm: report });
    const action = await show(id);
    expect(action.outcome).toBe('reverted');
    expect(action.result?.confirm).toMatchObject({ end: 'reverted', cause: 'no_server' });
    expect(action.confirm?.offeredAt).not.toBeNull();
  });
});

describe('a window', () => {
  it.each([
    [{ confirmWindow: 29 }, 400],
    [{ confirmWindow: 601 }, 400],
    [{ confirmWindow: undefined, overrides: ['route'] }, 400],
    [{ overrides: ['storage'] }, 400],
    [{ confirmWindow: true }, 202],
  ])('%j is answered with %i', async (change, status) => {
    expect((await stack.call('POST', '/actions', { ...reload, ...change })).status).toBe(status);
  });

  it('leaves room for the revert before the action is called unconfirmed', async () => {
    const { id } = await sent();
    const [row] = await stack.database.query<{ room: number }>(
      'SELECT extract(epoch FROM next_sweep_at - expires_at)::int AS room FROM action WHERE id = $1',
      [id],
    );
    expect(row?.room).toBe(60 + 60 + 120);
  });
});
