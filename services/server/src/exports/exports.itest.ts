import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HostSummary, KmodEvent, Problem } from '../api-types.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { ApiServer } from '../testing/api-server.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { hostSummarySchema } from '../hosts/hosts.schema.ts';
import { kmodHostSchema, kmodListItemSchema } from '../kmods/kmods.schema.ts';
import { kmodEventSchema } from '../events/events.schema.ts';
import { Exports } from './exports.service.ts';

/** So many rows are promised. */
const MANY = 100_000;

let server: ApiServer;
let url: string;
onTestDatabase(async (databaseUrl) => (server = await ApiServer.start(databaseUrl)));

beforeAll(async () => {
  const fleet = new Fleet(server.app);
  const host = { loaded: ['floppy', 'dm_mod'], available: ['floppy', 'dm_mod', 'e1000e'], devices: [], config: {} };
  const web = await fleet.add({ name: 'web-1', labels: { env: 'prod', role: 'web' }, ...host });
  await fleet.add({ name: '=cmd|calc', labels: { env: 'prod' }, ...host });
  await fleet.add({ name: 'far-1', presence: 'silent', ...host });
  await server.app.listen(0, '127.0.0.1');
  url = await server.app.getUrl();
  const text = `INSERT INTO kmod_event (at, host_id, kmod_id, kind, source, detail)
     SELECT timestamptz '2026-01-01' + make_interval(secs => n), $1, (SELECT id FROM kmod WHERE name = 'floppy'), 1 + n % 3, 'uevent', NULL FROM generate_series(1, $2::int) n`;
  await server.database.query(text, [web, 3]);
});

interface Whole {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: string;
}

const open = async (path: string, accept: string, token = server.token): Promise<IncomingMessage> => {
  const request = httpGet(`${url}/api/v1${path}`, { headers: { accept, authorization: `Bearer ${token}` } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
};
async function whole(path: string, accept: string, token = server.token): Promise<Whole> {
  const response = await open(path, accept, token);
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const { statusCode: status = 0, headers, trailers } = response;
  return { status, headers, trailers, body: Buffer.concat(chunks).toString('utf8') };
}
const CSV = 'text/csv';
const LINES = 'application/x-ndjson';
const parsed = <T>(body: string): T[] =>
  body
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
const exportRows = () =>
  server.database.query<{ object: string; details: string | null; selector: string | null }>(
    `SELECT object, details, selector FROM audit.entry WHERE what = 'inventory.export' ORDER BY at, number`,
  );

describe('a list given whole', () => {
  it('is every row of the pages, one JSON object a line', async () => {
    const answer = await whole('/hosts', LINES);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-ndjson; charset=utf-8',
      'transfer-encoding': 'chunked',
      trailer: 'X-Export-Rows',
    });
    expect(answer.trailers).toEqual({ 'x-export-rows': '3' });
    const rows = parsed<HostSummary>(answer.body);
    for (const row of rows) hostSummarySchema.parse(row);
    expect(rows).toEqual((await server.call<{ items: HostSummary[] }>('GET', '/api/v1/hosts')).body.items);
  });

  it('is CSV with a head, in which no cell is a formula', async () => {
    const answer = await whole('/hosts?selector=env%3Dprod', CSV);
    expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    const [head, first, second, end] = answer.body.split('\r\n');
    expect(head).toMatch(/^id,name,labels,mode,connection,/);
    expect(first).toMatch(/^[0-9a-f-]{36},"'=cmd\|calc",env=prod,act,connected,/);
    expect(second).toMatch(/^[0-9a-f-]{36},web-1,"env=prod,role=web",act,connected,/);
    expect(end).toBe('');
  });

  it.each([
    ['/kmods?presence=any', kmodListItemSchema, ['dm_mod', 'e1000e', 'floppy'], 'name'],
    ['/kmods/floppy/hosts?presence=any', kmodHostSchema, ['=cmd|calc', 'far-1', 'web-1'], 'host'],
    ['/kmods/floppy/hosts?presence=unknown', kmodHostSchema, ['far-1'], 'host'],
    ['/kmods/floppy/hosts?selector=env%3Dprod', kmodHostSchema, ['=cmd|calc', 'web-1'], 'host'],
    ['/events?kind=loaded,changed', kmodEventSchema, ['web-1', 'web-1'], 'host'],
  ] as const)('%s too, in both forms', async (path, schema, names, field) => {
    const rows = parsed<Record<string, { name: string } | string>>((await whole(path, LINES)).body);
    for (const row of rows) schema.parse(row);
    const nameOf = (value: { name: string } | string | undefined) => (typeof value === 'object' ? value.name : value);
    expect(rows.map((row) => nameOf(row[field]))).toEqual(names);
    const csv = (await whole(path, CSV)).body.split('\r\n');
    expect(csv).toHaveLength(names.length + 2);
    names.forEach((name, at) => expect(csv[at + 1]).toContain(name));
  });

  it('has the rows of a kmod as its pages have them', async () => {
    const path = '/kmods/floppy/hosts?presence=any';
    const { body } = await server.call<{ items: object[] }>('GET', `/api/v1${path}`);
    // A connected host's facts are observed anew with each beat of its server.
    const withoutTime = (row: object) => ({ ...row, ageMs: null, observedAt: null });
    expect(parsed<object>((await whole(path, LINES)).body).map(withoutTime)).toEqual(body.items.map(withoutTime));
  });

  it('is of the hosts that the caller may read', async () => {
    const viewer = await testCaller(server.app, [['viewer', 'role=web']]);
    for (const path of ['/hosts', '/kmods/floppy/hosts?presence=any', '/events'])
      expect((await whole(path, LINES, viewer.token)).body).not.toMatch(/calc|far-1/);
    expect(parsed((await whole('/hosts', LINES, viewer.token)).body)).toHaveLength(1);
  });

  it.each([
    ['/hosts?limit=5', 'query_invalid'],
    ['/hosts?cursor=abc', 'query_invalid'],
    ['/hosts?selector=%3D', 'selector_invalid'],
    ['/kmods/nosuch_kmod/hosts', 'kmod_unknown'],
    ['/events?kmod=nosuch_kmod', 'kmod_unknown'],
    ['/events?host=nobody', 'host_not_found'],
  ])('%s is refused as %s before anything is sent', async (path, code) => {
    const answer = await whole(path, CSV);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect((JSON.parse(answer.body) as Problem).code).toBe(code);
  });

  it('is a decision each time, recorded before anything is given', async () => {
    const before = (await exportRows()).length;
    await whole('/hosts?selector=env%3Dprod', CSV);
    await whole('/hosts?selector=env%3Dprod', CSV);
    await whole('/kmods', LINES);
    expect(
      (await exportRows()).slice(before).map(({ object, details, selector }) => [object, details, selector]),
    ).toEqual([
      ['/api/v1/hosts', '{"format":"csv"}', 'env=prod'],
      ['/api/v1/hosts', '{"format":"csv"}', 'env=prod'],
      ['/api/v1/kmods', '{"format":"ndjson"}', null],
    ]);
    await server.database.query('ALTER TABLE audit.entry RENAME TO lost');
    const refused = await whole('/hosts', CSV);
    await server.database.query('ALTER TABLE audit.lost RENAME TO entry');
    expect((JSON.parse(refused.body) as Problem).code).toBe('audit_unavailable');
  });
});

describe('a list of 100,000 rows', () => {
  beforeAll(async () => {
    const { database, app } = server;
    const replica = app.get<string>(REPLICA_ID);
    // As Fleet makes them, in three statements. The sets are those of web-1.
    await database.query(
      `INSERT INTO host (id, name, facts, kernel_release, os_id, arch, package_family, agent_version, mode, labels, key_fingerprint)
       SELECT gen_random_uuid(), 'many-' || lpad(n::text, 6, '0'), w.facts, w.kernel_release, w.os_id, w.arch, w.package_family, w.agent_version, w.mode,
              '{"many": "yes"}', sha256(n::text::bytea)
         FROM generate_series(1, $1::int) n, host w WHERE w.name = 'web-1'`,
      [MANY],
    );
    await database.query(
      `UPDATE host_inventory n SET loaded = i.loaded, available = i.available, devices = i.devices, config = i.config, loaded_observed_at = now(),
              available_observed_at = now(), devices_observed_at = now(), config_observed_at = now(), loaded_received_at = now()
         FROM host h, host_inventory i JOIN host w ON w.id = i.host_id WHERE n.host_id = h.id AND w.name = 'web-1' AND h.labels ? 'many'`,
    );
    await database.query(
      `INSERT INTO host_session (host_id, session_no, replica_id, boot_id, address, vouched)
       SELECT id, nextval('host_session_no_seq'), $1, 'boot-1', '192.0.2.7', 62 FROM host WHERE labels ? 'many'`,
      [replica],
    );
    await database.query(
      `INSERT INTO kmod_event (at, host_id, kmod_id, kind, source)
       SELECT timestamptz '2026-02-01' + make_interval(secs => row_number() OVER (ORDER BY h.id)), h.id, k.id, 1, 'uevent' FROM host h, kmod k
        WHERE h.labels ? 'many' AND k.name = 'floppy'`,
    );
    await database.query('ANALYZE');
  }, 120_000);

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  it.each([
    ['/hosts?selector=many', CSV],
    ['/events?selector=many', LINES],
  ])('%s as %s comes whole, while memory stays where it was', { timeout: 180_000 }, async (path, accept) => {
    const response = await open(path, accept);
    const heap: number[] = [];
    let lines = 0;
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
      if (lines < (heap.length + 1) * 20_000) continue;
      collect();
      heap.push(process.memoryUsage().heapUsed / 2 ** 20);
    }
    expect(response.complete).toBe(true);
    expect(response.trailers).toEqual({ 'x-export-rows': String(MANY) });
    expect(lines).toBe(MANY + (accept === CSV ? 1 : 0));
    expect(heap.length).toBeGreaterThanOrEqual(4);
    // Held whole it would be some ten times that.
    const [first = 0, ...later] = heap;
    expect(Math.max(...later) - first).toBeLessThan(Math.max(4, bytes / 2 ** 20 / 5));
  });

  it('in the hands of a slow reader holds no connection, and ends when nothing is taken any more', async () => {
    const { limits } = server.app.get(Exports);
    const { stalledMs } = limits;
    limits.stalledMs = 700;
    const response = await open('/hosts?selector=many', LINES);
    response.pause();
    // When the pipes between are full nothing is read any more, for longer than a reader may take nothing.
    for (let quiet = 0; quiet < 40;) {
      const [busy] = await server.database.query<{ n: number }>(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND (state = 'active' OR state LIKE 'idle in transaction%') AND backend_type = 'client backend'`,
      );
      quiet = busy?.n === 0 ? quiet + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const ended = once(response, 'error');
    response.resume();
    expect(((await ended) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET');
    expect([response.complete, response.trailers]).toEqual([false, {}]);
    limits.stalledMs = stalledMs;
  });

  it('that breaks off in the middle does not look whole', async () => {
    const response = await open('/events?selector=many', CSV);
    response.pause();
    await server.database.query('ALTER TABLE kmod RENAME TO lost');
    const ended = once(response, 'error');
    response.resume();
    await ended;
    await server.database.query('ALTER TABLE lost RENAME TO kmod');
    expect([response.complete, response.trailers]).toEqual([false, {}]);
    // Whoever is given what is left of a walk is not told that it is all; and the next one is whole.
    expect(parsed<KmodEvent>((await whole('/events?host=web-1', LINES)).body)).toHaveLength(3);
  });

  it('is not begun by too many at a time', async () => {
    const { limits } = server.app.get(Exports);
    const { most } = limits;
    limits.most = 2;
    const paused: IncomingMessage[] = [];
    for (let at = 0; at < 2; at += 1) {
      const response = await open('/hosts?selector=many', LINES);
      paused.push(response.on('error', () => undefined).pause());
    }
    const refused = await whole('/hosts?selector=many', LINES);
    expect([refused.status, (JSON.parse(refused.body) as Problem).code]).toEqual([503, 'overloaded']);
    for (const response of paused) response.destroy();
    await comesTrue(async () => {
      const answer = await open('/hosts?selector=many', LINES);
      answer.on('error', () => undefined).destroy();
      expect(answer.statusCode).toBe(200);
    });
    limits.most = most;
  });
});
