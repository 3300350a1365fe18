import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { ApiTokenService } from '../access/api-token.service.ts';
import type { LabelResult, Problem } from '../api-types.ts';
import { type ApiAnswered, ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';

let server: ApiServer;
let ids: string[];

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  const fleet = new Fleet(server.app);
  ids = [await fleet.add({ name: 'one' }), await fleet.add({ name: 'two' })];
});

const label = (value: string) => ({ hosts: [ids[0]], labels: { run: value } });
const patch = <T = LabelResult>(key: string, body: unknown, token?: string): Promise<ApiAnswered<T>> =>
  server.call<T>('PATCH', '/api/v1/hosts', {
    body,
    headers: { 'idempotency-key': key },
    ...(token === undefined ? {} : { token }),
  });
const labelOf = async (): Promise<unknown> =>
  (
    await server.database.query<{ labels: Record<string, string> }>('SELECT labels FROM host WHERE id = $1', [ids[0]])
  )[0]?.labels['run'];

describe('an Idempotency-Key', () => {
  it('runs a change once and answers the same ever after', async () => {
    const key = randomUUID();
    const first = await patch(key, label('a'));
    await patch(randomUUID(), label('b'));
    const again = await patch(key, { labels: { run: 'a' }, hosts: [ids[0]] });
    expect(again.body).toEqual(first.body);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(await labelOf()).toBe('b');
  });

  it('refuses another request under the same key, and changes nothing', async () => {
    const key = randomUUID();
    await patch(key, label('c'));
    expect((await patch<Problem>(key, label('d'))).body).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
    expect(await labelOf()).toBe('c');
  });

  it('belongs to one path: the same key on another host is another request', async () => {
    const key = randomUUID();
    const retire = (id: string | undefined) =>
      server.call('DELETE', `/api/v1/hosts/${id}`, { body: {}, headers: { 'idempotency-key': key } });
    expect((await retire(ids[1])).status).toBe(200);
    expect((await retire(ids[1])).status).toBe(200);
    expect((await retire(ids[0])).body).toMatchObject({ code: 'idempotency_mismatch' });
  });

  it('belongs to one token', async () => {
    const key = randomUUID();
    const other = await server.app.get(ApiTokenService).create('other', null);
    await patch(key, label('e'));
    expect((await patch(key, label('f'), other.token)).status).toBe(200);
    expect(await labelOf()).toBe('f');
  });

  it('stores nothing for an error: the same key works once the cause is gone', async () => {
    const key = randomUUID();
    const body = { hosts: ['three'], labels: { run: 'g' } };
    expect((await patch<Problem>(key, body)).body).toMatchObject({ code: 'host_not_found' });
    await new Fleet(server.app).add({ name: 'three' });
    expect((await patch(key, body)).body).toMatchObject({ changed: 1 });
  });

  it('lets one of many at once through; the others hear that it is in flight, or its answer', async () => {
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 8 }, () => patch<LabelResult & Problem>(key, label('h'))));
    const done = answers.filter((answer) => answer.status === 200);
    expect(done.filter((answer) => answer.headers['idempotency-replayed'] === undefined)).toHaveLength(1);
    for (const answer of answers.filter((each) => each.status !== 200)) {
      expect(answer).toMatchObject({
        status: 409,
        body: { code: 'idempotency_in_flight' },
        headers: { 'retry-after': '1' },
      });
    }
    const rows = await server.database.query('SELECT 1 FROM idempotency_key WHERE key = $1', [key]);
    expect(rows).toHaveLength(1);
  });

  it('answers 409 while the first is still being worked on', async () => {
    const key = randomUUID();
    let locked = (): void => undefined;
    let release = (): void => undefined;
    const holding = new Promise<void>((resolve) => (locked = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    // Holds the row that the change needs.
    const blocker = server.database.tx('READ COMMITTED', async (sql) => {
      await sql.query('SELECT 1 FROM host WHERE id = $1 FOR UPDATE', [ids[0]]);
      locked();
      await released;
    });
    await holding;
    const first = patch(key, label('i'));
    await expect
      .poll(
        async () =>
          (
            await server.database.query(
              `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1`,
            )
          ).length,
      )
      .toBeGreaterThan(0);
    const second = await patch<Problem>(key, label('i'));
    release();
    await blocker;
    expect(second.body).toMatchObject({ status: 409, code: 'idempotency_in_flight', retryAfterSeconds: 1 });
    expect((await first).status).toBe(200);
  });

  it('is forgotten after 48 hours', async () => {
    const key = randomUUID();
    await patch(key, label('j'));
    await server.database.query(`UPDATE idempotency_key SET created_at = now() - interval '49 hours' WHERE key = $1`, [
      key,
    ]);
    expect((await patch(key, label('k'))).status).toBe(200);
    expect(await labelOf()).toBe('k');
  });

  it.each(['with space', 'é', 'x'.repeat(256)])('%.20s is none', async (key) => {
    expect((await patch<Problem>(key, label('l'))).body).toMatchObject({ code: 'idempotency_key_required' });
  });
});
