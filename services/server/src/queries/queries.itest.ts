import { BlockRung, KmodPresence, KmodState, type KmodAnswer } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ActionStack, eventsOf, type StreamedEvent } from '../actions/testing/action-stack.ts';
import type { FakeHost } from '../actions/testing/fake-host.ts';
import type { Problem, QueryAnswer, QueryEnd } from '../api-types.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';

let postgres: TestPostgres;
let stack: ActionStack;
let other: ActionStack;
let here: FakeHost;
let there: FakeHost;
let silent: FakeHost;

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
  here = await stack.enroll('here');
  there = await stack.enroll('there');
  silent = await stack.enroll('silent');
  await stack.connect(here);
  await other.connect(there);
});
afterEach(() => stack.reset());

const LOADED: KmodAnswer = {
  name: 'floppy',
  presence: KmodPresence.KMOD_PRESENCE_LOADED,
  loaded: {
    name: 'floppy',
    buildId: 'ab12',
    size: 100,
    taint: 'OE',
    srcversion: '',
    version: '',
    state: KmodState.KMOD_STATE_LIVE,
  },
  refcount: 2,
  holders: ['snd'],
  blocks: [
    {
      kmod: 'floppy',
      rung: BlockRung.BLOCK_RUNG_BLACKLIST,
      file: '/etc/modprobe.d/a.conf',
      line: 3,
      detail: 'blacklist floppy',
    },
  ],
  reason: '',
};
const ABSENT: KmodAnswer = {
  name: 'floppy',
  presence: KmodPresence.KMOD_PRESENCE_ABSENT,
  loaded: undefined,
  holders: [],
  blocks: [],
  reason: '',
};

async function all(events: AsyncGenerator<StreamedEvent>): Promise<StreamedEvent[]> {
  const list: StreamedEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

describe('asking hosts now', () => {
  it('streams what hosts of every replica answer, and says who did not and why', async () => {
    const response = await stack.fetch('POST', '/queries', { kmods: ['floppy'], all: true, timeoutMs: 30_000 });
    const events = eventsOf(response);
    const start = (await events.next()).value;
    expect(start).toMatchObject({ event: 'start', data: { targets: 3, unknown: 0, freeze: null } });
    const asked = await here.next('query');
    expect(asked).toMatchObject({ kmods: ['floppy'], timeoutMs: 30_000 });
    expect(await there.next('query')).toMatchObject({ queryId: asked.queryId });
    await here.answers(asked.queryId, [LOADED]);
    const first = (await events.next()).value?.data as unknown as QueryAnswer;
    expect(first.host.name).toBe('here');
    expect(first.kmods).toEqual([
      {
        name: 'floppy',
        presence: 'loaded',
        reason: null,
        refcount: 2,
        holders: ['snd'],
        loaded: { buildId: 'ab12', size: 100, taint: 'OE', version: null, srcversion: null, state: 'live' },
        blocks: [{ rung: 'blacklist', file: '/etc/modprobe.d/a.conf', line: 3, detail: 'blacklist floppy' }],
      },
    ]);
    await there.answers(asked.queryId, [ABSENT]);
    const [second, last] = await all(events);
    expect(second?.data).toMatchObject({
      host: { name: 'there' },
      kmods: [{ presence: 'absent', refcount: null, loaded: null }],
    });
    const end = last?.data as unknown as QueryEnd;
    expect(end).toMatchObject({
      targets: 3,
      answered: 2,
      noAnswer: [{ host: { name: 'silent' }, reason: 'silent', detail: 'never connected' }],
    });
  });

  it('hands on why a host cannot say, and says so when an agent gives no reason', async () => {
    const response = await stack.fetch('POST', '/queries', { kmods: ['floppy'], hosts: ['here', 'there'] });
    const unsaid = { ...ABSENT, presence: KmodPresence.KMOD_PRESENCE_UNSPECIFIED };
    const { queryId } = await here.next('query');
    await here.answers(queryId, [{ ...unsaid, reason: '/lib/modules/6.1.0 does not exist' }]);
    await there.next('query');
    await there.answers(queryId, [unsaid]);
    const answers = (await all(eventsOf(response))).filter(({ event }) => event === 'answer');
    const said = answers.map(({ data }) => data as unknown as QueryAnswer);
    expect(
      Object.fromEntries(said.map(({ host, kmods }) => [host.name, [kmods[0]?.presence, kmods[0]?.reason]])),
    ).toEqual({
      here: [null, '/lib/modules/6.1.0 does not exist'],
      there: [null, 'the agent did not say why; is it older than the server?'],
    });
  });

  it('ends at the time limit, and keeps what was answered until then', async () => {
    const response = await stack.fetch('POST', '/queries', {
      kmods: ['floppy'],
      hosts: ['here', 'there'],
      timeoutMs: 400,
    });
    const { queryId } = await here.next('query');
    await here.answers(queryId, [LOADED]);
    const end = (await all(eventsOf(response))).at(-1)?.data as unknown as QueryEnd;
    expect(end).toMatchObject({
      answered: 1,
      noAnswer: [
        { host: { name: 'there' }, reason: 'timeout', detail: 'no answer within 400 ms of the last that came' },
      ],
    });
    expect(end.elapsedMs).toBeGreaterThanOrEqual(400);
  });

  it('tells a host that cannot say from one that does not answer', async () => {
    const response = await stack.fetch(
      'POST',
      '/queries',
      { kmods: ['floppy'], hosts: ['here', silent.id] },
      { accept: 'application/x-ndjson' },
    );
    const { queryId } = await here.next('query');
    await here.answers(queryId, [], 'no /proc/modules');
    const lines = (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; data: QueryEnd });
    expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    expect(lines.map(({ event }) => event)).toEqual(['start', 'end']);
    expect(lines.at(-1)?.data.noAnswer).toMatchObject([
      { host: { name: 'here' }, reason: 'error', detail: 'no /proc/modules' },
      { host: { name: 'silent' }, reason: 'silent' },
    ]);
  });

  it('stores nothing', async () => {
    const response = await stack.fetch('POST', '/queries', { kmods: ['floppy'], hosts: ['here'] });
    const { queryId } = await here.next('query');
    await here.answers(queryId, [ABSENT]);
    await all(eventsOf(response));
    const [rows] = await stack.database.query<{ rows: number }>(
      'SELECT (SELECT count(*) FROM action) + (SELECT count(*) FROM idempotency_key) + (SELECT count(*) FROM unknown_result) AS rows',
    );
    expect(rows?.rows).toBe(0);
  });

  it('drops what a host says that was not asked, or says twice', async () => {
    const response = await stack.fetch('POST', '/queries', { kmods: ['floppy'], hosts: ['here'], timeoutMs: 30_000 });
    const { queryId } = await here.next('query');
    await there.answers(queryId, [LOADED]);
    await here.answers(queryId, [ABSENT]);
    await here.answers(queryId, [LOADED]);
    const events = await all(eventsOf(response));
    expect(events.map(({ event }) => event)).toEqual(['start', 'answer', 'end']);
    expect(events[1]?.data).toMatchObject({ host: { name: 'here' }, kmods: [{ presence: 'absent' }] });
  });

  it('stops when the asker goes away', async () => {
    const gone = new AbortController();
    const response = await stack.fetch(
      'POST',
      '/queries',
      { kmods: ['floppy'], hosts: ['here'], timeoutMs: 30_000 },
      {},
      gone.signal,
    );
    const events = eventsOf(response);
    await events.next();
    gone.abort();
    await expect(events.next()).rejects.toThrow(/abort/i);
    await expect.poll(() => stack.openQueries(), { timeout: 10_000 }).toBe(0);
  });

  it.each([
    ['no hosts named', { kmods: ['floppy'] }, 'body_invalid'],
    ['hosts named twice over', { kmods: ['floppy'], all: true, hosts: ['here'] }, 'body_invalid'],
    ['an unknown host', { kmods: ['floppy'], hosts: ['nobody'] }, 'host_not_found'],
    ['an empty selector', { kmods: ['floppy'], selector: '' }, 'selector_invalid'],
    ['a bad name', { kmods: ['../floppy'], all: true }, 'kmod_name_invalid'],
    ['no names', { kmods: [], all: true }, 'body_invalid'],
    ['a time limit too long', { kmods: ['floppy'], all: true, timeoutMs: 30_001 }, 'body_invalid'],
  ])('refuses %s', async (_what, body, code) => {
    const answer = await stack.call<Problem>('POST', '/queries', body);
    expect(answer.body.code).toBe(code);
    expect(here.heard).toEqual([]);
  });

  it('asks by selector only hosts of which it holds', async () => {
    await stack.database.query(`UPDATE host SET labels = '{"env": "prod"}' WHERE id = ANY ($1)`, [
      [there.id, silent.id],
    ]);
    const response = await stack.fetch('POST', '/queries', { kmods: ['floppy'], selector: 'env=prod' });
    const { queryId } = await there.next('query');
    await there.answers(queryId, [ABSENT]);
    const events = await all(eventsOf(response));
    expect(events[0]?.data).toMatchObject({ targets: 2 });
    expect(here.heard).toEqual([]);
  });
});
