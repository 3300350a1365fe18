import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { AccessRepository } from '../access/access.repository.ts';
import { lockGrant } from '../access/grant.queries.ts';
import type { Role } from '../access/roles.ts';
import type { Sql } from '../database/database.service.ts';
import { type StartedSignIn, SignInService } from '../sign-in/sessions/sign-in.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller, type TestCaller } from '../testing/test-access.ts';
import type { ActionItem } from './action.model.ts';
import { ActionStack } from './testing/action-stack.ts';
import type { FakeHost } from './testing/fake-host.ts';

let stack: ActionStack;
let host: FakeHost;
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));

beforeEach(async () => {
  await stack.reset();
  host = await stack.enroll('web-1');
  await stack.database.query(`UPDATE host SET labels = '{"env":"staging"}' WHERE id = $1`, [host.id]);
});

/** Asked for while the host is away; it comes only after `meanwhile`. */
async function asked(
  grants: readonly (readonly [Role, string | null])[],
  expiresInSeconds?: number,
): Promise<{ id: string; who: TestCaller }> {
  const who = await testCaller(stack.app, grants, expiresInSeconds === undefined ? {} : { expiresInSeconds });
  const answer = await stack.call<ActionItem>(
    'POST',
    '/actions',
    { host: host.id, verb: 'unload', kmod: 'floppy', expiresIn: 600 },
    { authorization: `Bearer ${who.token}` },
  );
  expect(answer.status).toBe(202);
  return { id: answer.body.id, who };
}

const change = (
  work: (repository: AccessRepository, sql: Parameters<AccessRepository['revokeToken']>[0]) => Promise<unknown>,
) => stack.database.tx('READ COMMITTED', (sql) => work(stack.app.get(AccessRepository), sql));

async function afterTheHostCame(id: string): Promise<ActionItem> {
  await stack.connect(host);
  await stack.wake(host);
  await stack.idle();
  return (await stack.call<ActionItem>('GET', `/actions/${id}`)).body;
}

const heard = (to: FakeHost, what: 'actionRequest' | 'actionCancel'): readonly string[] =>
  to.heard.flatMap((message) => (message.$case === what ? [message.value.actionId] : []));
const sentTo = (to: FakeHost): readonly string[] => heard(to, 'actionRequest');

describe('an action whose right was withdrawn before it was sent', () => {
  it('is sent while the right holds, also when the token has expired since', async () => {
    const { id } = await asked([['operator', 'env=staging']], 1);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect((await afterTheHostCame(id)).state).toBe('dispatched');
    expect(sentTo(host)).toEqual([id]);
  });

  it.each([
    [
      'the account is disabled',
      async ({ who }: { who: TestCaller }) => change((r, sql) => r.setDisabled(sql, who.accountId, 'tests', true)),
      'was disabled',
    ],
    [
      'the grant is taken back',
      async ({ who }: { who: TestCaller }) => change((r, sql) => r.revokeGrant(sql, who.grantIds[0] ?? '', 'tests')),
      'may not act on web-1',
    ],
    [
      'the grant has ended by itself',
      async ({ who }: { who: TestCaller }) =>
        change(async (r, sql) => {
          const row = await lockGrant(sql, who.grantIds[0] ?? '');
          if (row !== undefined) await r.renewGrant(sql, row, new Date(Date.now() - 1000));
        }),
      'may not act on web-1',
    ],
    [
      'the token is revoked',
      async ({ who }: { who: TestCaller }) => change((r, sql) => r.revokeToken(sql, who.tokenId, 'tests')),
      'was revoked',
    ],
    [
      'the host has left the scope',
      async () => stack.database.query(`UPDATE host SET labels = '{"env":"prod"}'`),
      'may not act on web-1',
    ],
    [
      'the grant was changed by hand',
      async ({ who }: { who: TestCaller }) =>
        stack.database.query(`UPDATE access_grant SET selector = NULL WHERE account_id = $1`, [who.accountId]),
      'may not act on web-1',
    ],
    [
      'the row names another account',
      async () =>
        stack.database.query(
          `UPDATE action SET requested_account = (SELECT account_id FROM access_grant WHERE role = 'admin' LIMIT 1)`,
        ),
      'was changed outside the server',
    ],
    [
      'the row names another by name',
      async () => stack.database.query(`UPDATE action SET requested_by = 'boss'`),
      'was changed outside the server',
    ],
    [
      'the row names nobody',
      async () => stack.database.query('UPDATE action SET requested_account = NULL'),
      'ask again',
    ],
  ])('is never sent: %s', async (_case, meanwhile, why) => {
    const made = await asked([['operator', 'env=staging']]);
    await meanwhile(made);
    const action = await afterTheHostCame(made.id);
    expect(sentTo(host)).toEqual([]);
    expect(action).toMatchObject({
      state: 'ended',
      outcome: 'cancelled',
      message: expect.stringContaining('right_withdrawn'),
    });
    expect(action.timeline.at(-1)?.note).toContain(`right_withdrawn: `);
    expect(action.timeline.at(-1)?.note).toContain(why);
  });

  describe('asked for with a sign-in', () => {
    const signIns = () => stack.app.get(SignInService, { strict: false });
    const tx = <T>(work: (sql: Sql) => Promise<T>) => stack.database.tx('READ COMMITTED', work);
    const ended = async (id: string): Promise<boolean> => {
      const action = await afterTheHostCame(id);
      expect(sentTo(host)).toEqual(action.state === 'ended' ? [] : [id]);
      if (action.state === 'ended') expect(action.message).toContain('right_withdrawn');
      return action.state === 'ended';
    };
    /** Of an operator who has just signed in. */
    async function begun(): Promise<{ id: string; signIn: StartedSignIn; who: TestCaller }> {
      const who = await testCaller(stack.app, [['operator', 'env=staging']]);
      const wanted = {
        accountId: who.accountId,
        carrier: 'bearer',
        way: 'password',
        address: '192.0.2.1',
        agent: '',
      } as const;
      const signIn = await tx((sql) => signIns().start(sql, wanted));
      const body = { host: host.id, verb: 'unload', kmod: 'floppy', expiresIn: 600 };
      const authorization = `Bearer ${signIn.secret}`;
      const answer = await stack.call<ActionItem>('POST', '/actions', body, { authorization });
      expect(answer.status).toBe(202);
      return { id: answer.body.id, signIn, who };
    }
    const call = (method: string, path: string, secret: string | undefined, body: object = {}) =>
      stack.call(method, path, body, secret === undefined ? {} : { authorization: `Bearer ${secret}` });

    it('is sent while it is open', async () => {
      expect(await ended((await begun()).id)).toBe(false);
    });
    it('is sent after its own logout', async () => {
      const { id, signIn } = await begun();
      expect((await call('POST', '/logout', signIn.secret)).status).toBe(200);
      expect(await ended(id)).toBe(false);
    });
    it('is sent when it is over by itself', async () => {
      const { id, signIn } = await begun();
      await stack.database.query(`UPDATE sign_in SET last_used_at = now() - interval '1 day' WHERE id = $1`, [
        signIn.id,
      ]);
      expect(await ended(id)).toBe(false);
    });
    it('is not sent when an admin ended it', async () => {
      const { id, signIn } = await begun();
      expect((await call('DELETE', `/sessions/${signIn.id}`, undefined)).status).toBe(200);
      expect(await ended(id)).toBe(true);
    });
    it('is not sent when all of the account were ended, as a new password does', async () => {
      const { id, who } = await begun();
      await tx((sql) => signIns().endAllOf(sql, who.accountId, null, 'boss'));
      expect(await ended(id)).toBe(true);
    });
    it.each([
      [
        'says it was left',
        `UPDATE sign_in SET ended_at = now(), ended_by = 'kim', hash = NULL, seal = '\\x00'::bytea WHERE id = $1`,
      ],
      ['was opened again', 'UPDATE sign_in SET ended_at = NULL WHERE id = $1'],
      ['is gone', 'DELETE FROM sign_in WHERE id = $1'],
      ['is not named any more', 'UPDATE action SET requested_sign_in = NULL WHERE requested_sign_in = $1'],
    ])('is not sent when its row in the database %s', async (_words, text) => {
      const { id, signIn } = await begun();
      expect((await call('DELETE', `/sessions/${signIn.id}`, undefined)).status).toBe(200);
      await stack.database.query(text, [signIn.id]);
      expect(await ended(id)).toBe(true);
    });
  });

  it('makes way for the next one', async () => {
    const first = await asked([['operator', null]]);
    const second = await asked([['operator', null]]);
    await change((r, sql) => r.setDisabled(sql, first.who.accountId, 'tests', true));
    await afterTheHostCame(first.id);
    await expect.poll(() => sentTo(host)).toEqual([second.id]);
  });
});

describe('an action whose right was withdrawn after it was sent', () => {
  it('is asked back when the host comes again, and not sent a second time', async () => {
    const { id, who } = await asked([['operator', null]]);
    await afterTheHostCame(id);
    expect(sentTo(host)).toEqual([id]);
    await host.disconnect(stack.database);
    await change((r, sql) => r.setDisabled(sql, who.accountId, 'tests', true));
    await stack.connect(host);
    await stack.idle();
    expect(sentTo(host)).toEqual([id]);
    expect(heard(host, 'actionCancel')).toEqual([id]);
    expect((await stack.call<ActionItem>('GET', `/actions/${id}`)).body.message).toContain('asked back');
  });
});

describe('who asked for an action, as it is shown', () => {
  const shown = async (id: string): Promise<(string | undefined)[]> => [
    (await stack.call<ActionItem>('GET', `/actions/${id}`)).body.requestedBy,
    (await stack.call<{ items: ActionItem[] }>('GET', '/actions')).body.items.find((item) => item.id === id)
      ?.requestedBy,
  ];

  it('is the name of the account that is sealed with it, whatever the database says', async () => {
    const { id, who } = await asked([['operator', null]]);
    expect(await shown(id)).toEqual([who.name, who.name]);
    await stack.database.query(`UPDATE action SET requested_by = 'boss'`);
    const unknown = 'unknown (changed outside the server)';
    expect(await shown(id)).toEqual([unknown, unknown]);
    await stack.database.query('UPDATE action SET requested_account = NULL, requester_seal = NULL');
    expect(await shown(id)).toEqual(['boss (unproven)', 'boss (unproven)']);
  });

  it('is the name that the account has, of an action of before names were sealed', async () => {
    const { id, who } = await asked([['operator', null]]);
    const key = stack.app.get(ServerKeys).sealKey('access');
    const before = JSON.stringify(['modfleet-access-v1', 'requester', id, who.accountId, who.tokenId]);
    const seal = createHmac('sha256', key).update(before).digest();
    await stack.database.query(`UPDATE action SET requested_by = 'boss', requester_seal = $1`, [seal]);
    expect(await shown(id)).toEqual([who.name, who.name]);
    expect((await afterTheHostCame(id)).state).toBe('dispatched');
  });
});

describe('a watch', () => {
  it('ends within five seconds of the token being revoked', async () => {
    const { id, who } = await asked([['operator', null]]);
    const response = await stack.fetch('GET', `/actions/${id}/watch`, undefined, {
      authorization: `Bearer ${who.token}`,
    });
    expect(response.status).toBe(200);
    await change((r, sql) => r.revokeToken(sql, who.tokenId, 'tests'));
    const began = performance.now();
    // Resolves only when the server ends the stream: the action never ends.
    await response.text();
    // Four seconds, and one of the cache; the rest is what a busy machine takes.
    expect(performance.now() - began).toBeLessThan(8_000);
  }, 20_000);
});
