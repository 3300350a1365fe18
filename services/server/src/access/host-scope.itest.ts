import { beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../api-types.ts';
import { SqlParams } from '../database/sql-params.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller, type TestCaller } from '../testing/test-access.ts';
import { scopeCondition } from './host-scope.queries.ts';
import { inScope, type Labels, parseGrantSelector } from './host-scope.ts';

let server: ApiServer;
let viewer: TestCaller;
let operator: TestCaller;
let stagingAdmin: TestCaller;
let staging: string;
let prod: string;
let prodAction: string;
let stagingAction: string;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

beforeAll(async () => {
  const fleet = new Fleet(server.app);
  const seed = (kmod: string, driver: string) => ({
    loaded: [kmod, 'shared'],
    available: [kmod, 'shared'].map((name) => ({ name, aliases: [`alias:${name}*`] })),
    devices: [{ driver, kmod }],
  });
  staging = await fleet.add({ name: 'stage-1', labels: { env: 'staging' }, ...seed('open_kmod', 'open-drv') });
  prod = await fleet.add({ name: 'secret-1', labels: { env: 'prod' }, ...seed('secret_kmod', 'secret-drv') });
  await fleet.add({ name: 'twin', labels: { env: 'staging' }, loaded: ['shared'] });
  await fleet.add({ name: 'twin', labels: { env: 'prod' }, loaded: ['shared'] });
  viewer = await testCaller(server.app, [['viewer', 'env=staging']]);
  operator = await testCaller(server.app, [
    ['operator', 'env=staging'],
    ['viewer', 'env=prod'],
  ]);
  stagingAdmin = await testCaller(server.app, [['admin', 'env=staging']]);
  const act = async (host: string) =>
    (
      await server.call<{ id: string }>('POST', '/api/v1/actions', {
        body: { host, verb: 'unload', kmod: 'shared', expiresIn: 600 },
      })
    ).body.id;
  prodAction = await act(prod);
  stagingAction = await act(staging);
});

const get = <T = Problem>(path: string, who: TestCaller = viewer) =>
  server.call<T>('GET', `/api/v1${path}`, { token: who.token });
const send = <T = Problem>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body: object, who: TestCaller) =>
  server.call<T>(method, `/api/v1${path}`, { body, token: who.token });

/** Names and ids of what the viewer may not see, in whatever is answered. */
const LEAKS = ['secret', 'prod'];
const leaks = (answer: unknown) => {
  const text = JSON.stringify(answer);
  return [...LEAKS, prod, prodAction].filter((word) => text.includes(word));
};

describe('what a viewer of some hosts reads', () => {
  it.each([
    ['/hosts', { matched: 2 }],
    ['/hosts?includeRetired=true', { matched: 2 }],
    ['/hosts?selector=env!%3Dstaging', { matched: 0, unknown: 0, coverage: { total: 0 } }],
    ['/kmods?presence=any', { coverage: { total: 2 } }],
    ['/kmods/shared', { counts: { loaded: 2 }, coverage: { total: 2 } }],
    ['/kmods/shared/hosts', { counts: { loaded: 2 }, coverage: { total: 2 } }],
    ['/kmods/alias:open_kmodX/hosts', { resolvedBy: 'alias' }],
    ['/drivers/open-drv/hosts', { counts: { bound: 1 } }],
    ['/events', { coverage: { total: 2 } }],
    ['/skew/kmods', { coverage: { total: 2 } }],
    ['/kmods/shared/skew', { hosts: 2, coverage: { total: 2 } }],
    ['/events/hosts', { coverage: { total: 2 } }],
    ['/actions', { items: [{ host: { name: 'stage-1' } }] }],
    // Two hosts have the name, and one of them is out of sight: for this caller it is not ambiguous.
    ['/hosts/twin', { name: 'twin' }],
  ])('%s is of those hosts alone', async (path, expected) => {
    const answer = await get<object>(path);
    expect(answer).toMatchObject({ status: 200, body: expected });
    expect(leaks(answer.body)).toEqual([]);
  });

  it.each([
    ['/hosts/secret-1', 'host_not_found'],
    ['/hosts/secret-2', 'host_not_found'],
    ['/hosts/secret-1/kmods', 'host_not_found'],
    ['/hosts/secret-1/devices', 'host_not_found'],
    ['/hosts/secret-1/events', 'host_not_found'],
    ['/events?host=secret-1', 'host_not_found'],
    ['/events?kmod=secret_kmod', 'kmod_unknown'],
    ['/events/watch?host=secret-1', 'host_not_found'],
    ['/kmods/secret_kmod', 'kmod_unknown'],
    ['/kmods/secret_kmo/hosts', 'kmod_unknown'],
    ['/kmods/secret-drv', 'kmod_unknown'],
    ['/kmods/secret_kmod/skew', 'kmod_unknown'],
    ['/kmods/alias:secret_kmodX', 'kmod_unknown'],
    ['/drivers/secret-drv/hosts', 'driver_unknown'],
    ['/drivers/secret-dr/hosts', 'driver_unknown'],
    ['/actions?host=secret-1', 'host_not_found'],
  ])('%s is not there, as if it were nowhere', async (path, code) => {
    const answer = await get(path);
    expect(answer.body).toMatchObject({ status: 404, code });
    expect(answer.body.candidates ?? []).toEqual([]);
    const asked = path.split('kmod=')[1] ?? path.split('/')[2]?.split('?')[0] ?? '';
    expect(
      leaks({ ...answer.body, detail: answer.body.detail.replaceAll(asked, '').replaceAll('secret-1', '') }),
    ).toEqual([]);
  });

  it('neither is a host or an action by its id', async () => {
    expect((await get(`/hosts/${prod}`)).body).toMatchObject({ code: 'host_not_found' });
    expect((await get(`/actions/${prodAction}`)).body).toMatchObject({ code: 'action_not_found' });
    expect((await get(`/actions/${prodAction}/watch`)).body).toMatchObject({ code: 'action_not_found' });
    expect((await get(`/actions/${stagingAction}`)).status).toBe(200);
  });

  it('a live question goes to those hosts alone', async () => {
    const body = { all: true, kmods: ['shared'], timeoutMs: 100 };
    const answer = await server.app.inject({
      method: 'POST',
      url: '/api/v1/queries',
      headers: {
        authorization: `Bearer ${viewer.token}`,
        accept: 'application/x-ndjson',
        'content-type': 'application/json',
      },
      payload: JSON.stringify(body),
    });
    expect(JSON.parse(answer.payload.split('\n')[0] ?? '')).toMatchObject({ event: 'start', data: { targets: 2 } });
    expect(leaks(answer.payload)).toEqual([]);
    expect((await send('POST', '/queries', { hosts: ['secret-1'], kmods: ['shared'] }, viewer)).body).toMatchObject({
      code: 'host_not_found',
    });
  });
});

describe('what one may do with some hosts', () => {
  const unload = (host: string, who: TestCaller) =>
    send('POST', '/actions', { host, verb: 'unload', kmod: 'shared' }, who);

  it('an action on a host in scope, not on one that one may only see, and one out of sight is not there', async () => {
    expect((await unload(staging, operator)).status).toBe(202);
    expect((await unload(prod, operator)).body).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await unload(prod, stagingAdmin)).body).toMatchObject({ status: 404, code: 'host_not_found' });
    expect((await unload(staging, viewer)).body).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await send('POST', `/actions/${prodAction}/cancel`, {}, operator)).body).toMatchObject({
      code: 'forbidden',
    });
    expect((await send('POST', `/actions/${prodAction}/cancel`, {}, stagingAdmin)).body).toMatchObject({
      code: 'action_not_found',
    });
    expect((await send('POST', `/actions/${stagingAction}/cancel`, {}, operator)).status).toBe(200);
  });

  it('labels move a host between scopes, so it takes both ends', async () => {
    const label = (hosts: string[], labels: object, who: TestCaller) => send('PATCH', '/hosts', { hosts, labels }, who);
    expect((await label([staging], { team: 'a' }, operator)).body).toMatchObject({ code: 'forbidden' });
    expect((await label([staging], { team: 'a' }, stagingAdmin)).status).toBe(200);
    expect((await label([staging], { env: 'prod' }, stagingAdmin)).body).toMatchObject({ code: 'forbidden' });
    expect((await label([staging], { env: null }, stagingAdmin)).body).toMatchObject({ code: 'forbidden' });
    expect((await label([prod], { env: 'staging' }, stagingAdmin)).body).toMatchObject({ code: 'host_not_found' });
    const all = await send<{ matched: number }>(
      'PATCH',
      '/hosts',
      { all: true, labels: { seen: 'yes' } },
      stagingAdmin,
    );
    expect(all.body.matched).toBe(2);
    const rows = await server.database.query<{ n: number }>(`SELECT count(*) AS n FROM host WHERE labels ? 'seen'`);
    expect(rows).toEqual([{ n: 2 }]);
  });

  it('retiring takes an admin of that host', async () => {
    expect((await send('DELETE', `/hosts/${prod}`, {}, operator)).body).toMatchObject({ code: 'forbidden' });
    expect((await send('DELETE', `/hosts/${prod}`, {}, stagingAdmin)).body).toMatchObject({ code: 'host_not_found' });
  });
});

describe('scopeCondition', () => {
  const LABELS: Labels[] = [
    {},
    { env: 'staging' },
    { env: 'prod' },
    { env: 'staging', team: 'a' },
    { env: '', gpu: '' },
    { constructor: 'x' },
    { team: "a'; DROP TABLE host; --" },
  ];
  const SELECTORS = [
    'env=staging',
    'env!=staging',
    'env in (staging,prod)',
    'env notin (prod)',
    'gpu',
    '!gpu',
    'env=staging,team=a',
    'constructor',
    '!toString',
    'env=',
  ];

  it.each([...SELECTORS.map((one) => [one]), ['env=prod', 'team=a'], []].map((texts) => ({ texts })))(
    'says the same in SQL as in words: $texts',
    async ({ texts }) => {
      const scope = texts.map(parseGrantSelector);
      for (const labels of LABELS) {
        const params = new SqlParams();
        const host = `(SELECT ${params.add(JSON.stringify(labels))}::jsonb AS labels) h`;
        const [row] = await server.database.query<{ held: boolean }>(
          `SELECT ${scopeCondition(scope, params)} AS held FROM ${host}`,
          params.values,
        );
        expect({ labels, held: row?.held }).toEqual({ labels, held: inScope(scope, labels) });
      }
    },
  );
});
