import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ActionStack, eventsOf, type StreamedEvent } from '../actions/testing/action-stack.ts';
import type { FakeHost } from '../actions/testing/fake-host.ts';
import type { ChangedHostList, EventList, Problem } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import { followEdge } from './event-list.queries.ts';
import { EventSignal } from './event-signal.ts';
import { eventHostsSchema, eventListSchema, eventWatchLineSchema } from './events.schema.ts';

let stack: ActionStack;
let web: FakeHost;
let db: FakeHost;
const actionId = randomUUID();

onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
beforeAll(async () => {
  await stack.database.query(`INSERT INTO kmod (id, name) VALUES (1, 'floppy'), (2, 'dm_mod'), (3, 'e1000e')`);
});
beforeEach(async () => {
  web = await stack.enroll('web-1');
  db = await stack.enroll('db-1');
  await stack.connect(web);
  await stack.database.query(`UPDATE host SET labels = '{"env":"prod"}' WHERE id = $1`, [web.id]);
});
afterEach(async () => {
  await stack.database.query('TRUNCATE kmod_event');
  await stack.reset();
});

/** Kind 1 loaded, 2 unloaded, 3 changed. */
const insert = (host: FakeHost, kmod: number, kind: number, at = 'now()', action: string | null = null) =>
  stack.database.query(
    `INSERT INTO kmod_event (at, host_id, kmod_id, kind, action_id, source) VALUES (${at}, $1, $2, $3, $4, 'uevent')`,
    [host.id, kmod, kind, action],
  );
const ago = (hours: number): string => `now() - interval '${hours} hours'`;
const words = (page: EventList): string[] => page.items.map(({ host, kmod, kind }) => `${host.name} ${kmod} ${kind}`);
const list = async (query = ''): Promise<EventList> => {
  const answer = await stack.call<EventList>('GET', `/events${query}`);
  return eventListSchema.parse(answer.body);
};
const changed = async (query = ''): Promise<ChangedHostList> =>
  eventHostsSchema.parse((await stack.call('GET', `/events/hosts${query}`)).body);
const code = async (path: string): Promise<string> => (await stack.call<Problem>('GET', path)).body.code;

describe('events of the fleet', () => {
  beforeEach(async () => {
    await insert(web, 1, 1, ago(30));
    await insert(web, 1, 2, ago(3), actionId);
    await insert(db, 2, 3, ago(2));
    await insert(db, 1, 1, ago(1));
  });

  it('are newest first over all hosts, with what they rest on', async () => {
    const page = await list();
    expect(words(page)).toEqual([
      'db-1 floppy loaded',
      'db-1 dm_mod changed',
      'web-1 floppy unloaded',
      'web-1 floppy loaded',
    ]);
    // Neither host reports its kmods: what is listed is not all that may have happened.
    expect(page).toMatchObject({
      coverage: { total: 2, fresh: 0 },
      selectorUnknown: 0,
      nextCursor: null,
      freeze: null,
    });
  });

  it.each([
    ['?host=db-1', ['db-1 floppy loaded', 'db-1 dm_mod changed']],
    ['?selector=env%3Dprod', ['web-1 floppy unloaded', 'web-1 floppy loaded']],
    ['?kmod=dm-mod', ['db-1 dm_mod changed']],
    ['?kind=changed,unloaded', ['db-1 dm_mod changed', 'web-1 floppy unloaded']],
    ['?by=action', ['web-1 floppy unloaded']],
    ['?by=none&host=web-1', ['web-1 floppy loaded']],
    [`?actionId=${actionId}`, ['web-1 floppy unloaded']],
    [`?actionId=${randomUUID()}`, []],
  ])('are narrowed by %s', async (query, expected) => {
    expect(words(await list(query))).toEqual(expected);
  });

  it('are narrowed by time, and paged without gap or repetition', async () => {
    const { items } = await list();
    const middle = items[1]?.at ?? '';
    expect(words(await list(`?since=${middle}`))).toHaveLength(2);
    expect(words(await list(`?until=${middle}`))).toHaveLength(2);
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: EventList = await list(`?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...words(page));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(words({ items } as EventList));
  });

  it('a selector counts apart whom it cannot judge', async () => {
    const page = await list(`?selector=${encodeURIComponent('@kernel~*')}`);
    expect([words(page).length, page.selectorUnknown]).toEqual([2, 1]);
    expect(words(await list(`?selector=${encodeURIComponent('@kernel~*')}&includeUnknown=true`))).toHaveLength(4);
  });

  it('which hosts changed: one row each, of the last day unless told otherwise', async () => {
    const day = await changed();
    expect(day.items).toEqual([
      {
        host: { id: db.id, name: 'db-1' },
        events: 2,
        loaded: 1,
        unloaded: 0,
        changed: 1,
        byActions: 0,
        kmods: ['dm_mod', 'floppy'],
        kmodCount: 2,
        firstAt: expect.any(String),
        lastAt: expect.any(String),
      },
      expect.objectContaining({ host: { id: web.id, name: 'web-1' }, events: 1, byActions: 1, kmods: ['floppy'] }),
    ]);
    const week = await changed(`?since=${new Date(Date.now() - 7 * 86_400_000).toISOString()}&limit=1`);
    expect([week.items[0]?.host.name, week.items[0]?.events]).toEqual(['db-1', 2]);
    expect((await changed(`?since=${new Date(Date.now() - 7 * 86_400_000).toISOString()}`)).items[1]?.events).toBe(2);
    const rest = await changed(`?limit=1&cursor=${(await changed('?limit=1')).nextCursor}`);
    expect(rest.items.map(({ host }) => host.name)).toEqual(['web-1']);
    expect((await changed('?kind=unloaded')).items.map(({ host }) => host.name)).toEqual(['web-1']);
  });

  it.each([
    ['/events?kmod=nosuch_kmod', 'kmod_unknown'],
    ['/events?kind=gone', 'query_invalid'],
    ['/events?by=me', 'query_invalid'],
    ['/events?host=nobody', 'host_not_found'],
    ['/events?selector=', 'selector_invalid'],
    ['/events?limit=1001', 'limit_invalid'],
    ['/events?cursor=abc', 'cursor_invalid'],
    ['/events?since=yesterday', 'query_invalid'],
    ['/events/hosts?kmod=nosuch_kmod', 'kmod_unknown'],
    ['/events/watch?kmod=nosuch_kmod', 'kmod_unknown'],
    ['/events/watch?since=2026-01-01T00:00:00Z', 'query_invalid'],
  ])('%s is %s', async (path, expected) => {
    expect(await code(path)).toBe(expected);
  });

  it('are of hosts in scope alone', async () => {
    const viewer = await testCaller(stack.app, [['viewer', 'env=prod']]);
    const headers = { authorization: `Bearer ${viewer.token}` };
    const page = (await stack.call<EventList>('GET', '/events', undefined, headers)).body;
    expect(words(page)).toEqual(['web-1 floppy unloaded', 'web-1 floppy loaded']);
    expect(page.coverage.total).toBe(1);
    const hosts = (await stack.call<ChangedHostList>('GET', '/events/hosts', undefined, headers)).body;
    expect(hosts.items.map(({ host }) => host.name)).toEqual(['web-1']);
    expect((await stack.call<Problem>('GET', '/events?host=db-1', undefined, headers)).body.code).toBe(
      'host_not_found',
    );
  });
});

/** Reads a watch until `enough`, then leaves. */
async function follow(
  options: { query?: string; lastEventId?: string; headers?: Record<string, string> },
  enough: (seen: readonly StreamedEvent[]) => boolean,
  during?: () => Promise<void>,
): Promise<StreamedEvent[]> {
  const leave = new AbortController();
  const headers = {
    accept: 'text/event-stream',
    ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
    ...options.headers,
  };
  const response = await stack.fetch('GET', `/events/watch${options.query ?? ''}`, undefined, headers, leave.signal);
  expect(response.status).toBe(200);
  const seen: StreamedEvent[] = [];
  for await (const event of eventsOf(response)) {
    eventWatchLineSchema.parse({ event: event.event, data: event.data });
    seen.push(event);
    if (event.event === 'start') await during?.();
    if (enough(seen)) break;
  }
  leave.abort();
  return seen;
}
/** Until what is stored lies before the edge: another database's transaction holds it back too, and who begins to follow then is told what is beyond it. */
async function settled(): Promise<void> {
  const newest = await stack.database.query<{ id: number }>(
    'SELECT max(stored_by::text::bigint) AS id FROM kmod_event',
  );
  await expect.poll(() => followEdge(stack.database), { timeout: 60_000 }).toBeGreaterThan(newest[0]?.id ?? 0);
}
const kmodsOf = (seen: readonly StreamedEvent[]): unknown[] =>
  seen.filter(({ event }) => event === 'kmod_event').map(({ data }) => data['kmod']);

describe('following events', () => {
  it('tells what is stored from then on, and where it was left nothing is missed', async () => {
    await insert(web, 1, 1);
    await settled();
    const first = await follow(
      {},
      (seen) => seen.length === 2,
      async () => {
        await insert(web, 2, 1);
        stack.app.get(EventSignal).stored();
      },
    );
    expect(first[0]).toMatchObject({ event: 'start', data: { coverage: { total: 2 } } });
    expect(kmodsOf(first)).toEqual(['dm_mod']);
    await insert(web, 3, 1);
    await insert(db, 1, 2);
    const lastEventId = first.at(-1)?.id ?? '';
    const second = await follow({ lastEventId }, (seen) => seen.length === 3);
    expect(kmodsOf(second)).toEqual(['e1000e', 'floppy']);
    // Left before the first event: its start says where that was.
    const third = await follow({ lastEventId: second[0]?.id ?? '' }, (seen) => seen.length === 3);
    expect(kmodsOf(third)).toEqual(['e1000e', 'floppy']);
  });

  it('what a slow transaction stores is not passed over by faster ones', async () => {
    const slow = new pg.Client({ connectionString: stack.databaseUrl });
    await slow.connect();
    await slow.query('BEGIN');
    await slow.query(
      `INSERT INTO kmod_event (at, host_id, kmod_id, kind, source) VALUES (now(), '${web.id}', 1, 1, 'uevent')`,
    );
    const seen = await follow(
      {},
      (events) => kmodsOf(events).length === 2,
      async () => {
        await insert(web, 2, 1);
        setTimeout(() => void slow.query('COMMIT'), 1_500);
      },
    );
    await slow.end();
    expect(kmodsOf(seen)).toEqual(['floppy', 'dm_mod']);
  });

  it('is narrowed as lists are, and by what the caller may read', async () => {
    const viewer = await testCaller(stack.app, [['viewer', 'env=prod']]);
    const both = async (): Promise<void> => {
      await insert(db, 1, 1);
      await insert(web, 2, 1);
      await insert(web, 2, 2);
    };
    const headers = { authorization: `Bearer ${viewer.token}` };
    expect(kmodsOf(await follow({ headers }, (seen) => kmodsOf(seen).length === 2, both))).toEqual([
      'dm_mod',
      'dm_mod',
    ]);
    const kinds = await follow({ query: '?kind=unloaded' }, (seen) => kmodsOf(seen).length === 1, both);
    expect(kinds.at(-1)?.data).toMatchObject({ kind: 'unloaded', host: { name: 'web-1' } });
  });

  it('ends when the right to it ends', async () => {
    const viewer = await testCaller(stack.app, [['viewer', null]]);
    const response = await stack.fetch('GET', '/events/watch', undefined, { authorization: `Bearer ${viewer.token}` });
    await stack.database.tx('READ COMMITTED', (sql) =>
      stack.app.get(AccessRepository).revokeToken(sql, viewer.tokenId, 'tests'),
    );
    await stack.app.get(AccessService).changed();
    const began = Date.now();
    for await (const _event of eventsOf(response));
    expect(Date.now() - began).toBeLessThan(7_000);
  });

  it('refuses an id that is none of this watch', async () => {
    const [start] = await follow({}, () => true);
    const ask = async (query: string, id: string): Promise<Problem> =>
      (await stack.call<Problem>('GET', `/events/watch${query}`, undefined, { 'last-event-id': id })).body;
    expect(await ask('', '7')).toMatchObject({ code: 'cursor_invalid' });
    expect(await ask('?kind=loaded', start?.id ?? '')).toMatchObject({ code: 'cursor_invalid' });
  });
});
