import { afterEach, describe, expect, it } from 'vitest';
import { ActionStack } from '../actions/testing/action-stack.ts';
import type { CreatedJoinToken, JoinToken, JoinTokenList, Problem } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';

let stack: ActionStack;

onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
afterEach(async () => {
  await stack.database.query('TRUNCATE join_token');
  await stack.reset();
});

const list = async (query = ''): Promise<JoinTokenList> =>
  (await stack.call<JoinTokenList>('GET', `/join-tokens${query}`)).body;

describe('join tokens', () => {
  it('are made with limits, shown without their secret, and revoked', async () => {
    const made = await stack.call<CreatedJoinToken>('POST', '/join-tokens', {
      name: 'rack 4',
      maxUses: 3,
      expiresIn: 600,
      labels: { env: 'prod' },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: 'rack 4',
      maxUses: 3,
      uses: 0,
      labels: { env: 'prod' },
      createdBy: 'ops',
      state: 'open',
      freeze: null,
    });
    expect(made.body.joinString).toMatch(/^mfj_[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}$/);
    const listed = await list();
    expect(listed.items).toMatchObject([
      { id: made.body.id, prefix: made.body.joinString.slice(0, made.body.prefix.length) },
    ]);
    expect(JSON.stringify(listed)).not.toContain(made.body.joinString.slice(0, 20));
    const revoked = await stack.call<JoinToken>('DELETE', `/join-tokens/${made.body.id}`);
    expect([revoked.status, revoked.body.state]).toEqual([200, 'revoked']);
    expect((await list()).items[0]?.state).toBe('revoked');
  });

  it.each(['tab\there', 'two\nlines', 'escape\u001b[31m', 'zero\u200bwidth', 'turned\u202e'])(
    'a name like %j is refused',
    async (name) => {
      const answer = await stack.call<Problem>('POST', '/join-tokens', { name });
      expect([answer.status, answer.body.code]).toEqual([400, 'body_invalid']);
      expect(answer.body.detail).toContain('no control or invisible characters');
    },
  );

  it('may be named in any script', async () => {
    const { body } = await stack.call<CreatedJoinToken>('POST', '/join-tokens', { name: 'Gerät №4 ラック' });
    expect(body.name).toBe('Gerät №4 ラック');
  });

  it('are broken once somebody else than the server wrote them, and end all the same', async () => {
    const { body } = await stack.call<CreatedJoinToken>('POST', '/join-tokens', { labels: { env: 'dev' } });
    await stack.database.query(`UPDATE join_token SET labels = '{"env":"prod"}' WHERE id = $1`, [body.id]);
    expect((await list()).items[0]?.state).toBe('broken');
    expect((await stack.call<JoinToken>('DELETE', `/join-tokens/${body.id}`)).body.state).toBe('revoked');
    await stack.database.query('UPDATE join_token SET revoked_at = NULL WHERE id = $1', [body.id]);
    expect((await list()).items[0]?.state).toBe('broken');
  });

  it('live for half an hour and one host when nothing is said', async () => {
    const { body } = await stack.call<CreatedJoinToken>('POST', '/join-tokens', {});
    expect(body).toMatchObject({ maxUses: 1, name: '' });
    expect(Date.parse(body.expiresAt) - Date.parse(body.createdAt)).toBe(1_800_000);
  });

  it('are made once under one Idempotency-Key, and the secret is at rest nowhere', async () => {
    const key = { 'idempotency-key': 'join-1' };
    const first = await stack.call<CreatedJoinToken>('POST', '/join-tokens', {}, key);
    const again = await stack.call<CreatedJoinToken>('POST', '/join-tokens', {}, key);
    expect(again.body).toEqual(first.body);
    expect((await list()).items).toHaveLength(1);
    const rows = await stack.database.query<{ all: string }>(
      'SELECT (SELECT json_agg(i)::text FROM idempotency_key i) || (SELECT json_agg(j)::text FROM join_token j) AS all',
    );
    expect(rows[0]?.all).toContain(first.body.id);
    expect(rows[0]?.all).not.toContain(first.body.joinString.slice(0, 30));
  });

  it('are paged, newest first', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1)
      ids.unshift((await stack.call<CreatedJoinToken>('POST', '/join-tokens', {})).body.id);
    const first = await list('?limit=3');
    const second = await list(`?limit=3&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(second.nextCursor).toBeNull();
  });

  it.each([
    ['POST', '/join-tokens', { maxUses: 0 }, 'body_invalid'],
    ['POST', '/join-tokens', { expiresIn: 86_401 }, 'body_invalid'],
    ['POST', '/join-tokens', { labels: { 'bad key!': 'x' } }, 'body_invalid'],
    ['DELETE', '/join-tokens/nonsense', undefined, 'join_token_not_found'],
    ['DELETE', '/join-tokens/00000000-0000-4000-8000-000000000000', undefined, 'join_token_not_found'],
  ])('%s %s %j is refused', async (method, path, body, code) => {
    expect((await stack.call<Problem>(method, path, body)).body.code).toBe(code);
  });
});
