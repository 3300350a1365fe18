import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ActionStack } from '../actions/testing/action-stack.ts';
import type { FakeHost } from '../actions/testing/fake-host.ts';
import type { HostEventList, Problem } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';

let stack: ActionStack;
let host: FakeHost;
const actionId = randomUUID();

onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
beforeAll(async () => {
  await stack.database.query(`INSERT INTO kmod (id, name) VALUES (1, 'floppy'), (2, 'dm_mod')`);
});
beforeEach(async () => {
  host = await stack.enroll('web-1');
  const stranger = await stack.enroll('web-2');
  await stack.database.query(
    `INSERT INTO kmod_event (at, host_id, kmod_id, kind, action_id, source, detail) VALUES
       ('2026-01-01T10:00:00Z', $1, 1, 1, NULL, 'uevent', NULL),
       ('2026-01-01T11:00:00.000001Z', $1, 2, 3, NULL, 'poll', '{"from": "a", "to": "b"}'),
       ('2026-01-01T11:00:00.000002Z', $1, 1, 2, $2, 'uevent', NULL),
       ('2026-01-01T11:00:00.000002Z', $1, 2, 1, NULL, 'uevent', NULL),
       ('2026-01-01T12:00:00Z', $3, 1, 1, NULL, 'uevent', NULL)`,
    [host.id, actionId, stranger.id],
  );
});
afterEach(async () => {
  await stack.database.query('TRUNCATE kmod_event');
  await stack.reset();
});

const events = async (query = ''): Promise<HostEventList> =>
  (await stack.call<HostEventList>('GET', `/hosts/web-1/events${query}`)).body;
const words = (page: HostEventList): string[] => page.items.map(({ kmod, kind }) => `${kmod} ${kind}`);

describe('events of a host', () => {
  it('are newest first, with the action that did it, or none of ours', async () => {
    const page = await events();
    expect(page).toMatchObject({ host: { id: host.id, name: 'web-1' }, nextCursor: null, freeze: null });
    expect(words(page)).toEqual(['dm_mod loaded', 'floppy unloaded', 'dm_mod changed', 'floppy loaded']);
    expect(page.items.map((item) => item.actionId)).toEqual([null, actionId, null, null]);
    expect(page.items[2]).toMatchObject({ source: 'poll', detail: { from: 'a', to: 'b' } });
  });

  it('are narrowed by time and kmod', async () => {
    expect(words(await events('?since=2026-01-01T11:00:00Z&kmod=dm-mod'))).toEqual(['dm_mod loaded', 'dm_mod changed']);
    expect(words(await events('?until=2026-01-01T11:00:00Z'))).toEqual(['floppy loaded']);
  });

  it('are paged without gap or repetition, to the microsecond', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: HostEventList = await events(`?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...words(page));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(words(await events()));
  });

  it.each([
    ['/hosts/nobody/events', 'host_not_found'],
    ['/hosts/web-1/events?since=yesterday', 'query_invalid'],
    ['/hosts/web-1/events?kmod=-r', 'kmod_name_invalid'],
    ['/hosts/web-1/events?limit=0', 'limit_invalid'],
    ['/hosts/web-1/events?cursor=abc', 'cursor_invalid'],
    ['/hosts/web-1/events?nonsense=1', 'query_invalid'],
  ])('%s is refused', async (path, code) => {
    expect((await stack.call<Problem>('GET', path)).body.code).toBe(code);
  });
});
