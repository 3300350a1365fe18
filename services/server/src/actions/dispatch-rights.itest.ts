import { beforeEach, describe, expect, it } from 'vitest';
import { AccessRepository } from '../access/access.repository.ts';
import type { Role } from '../access/roles.ts';
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
