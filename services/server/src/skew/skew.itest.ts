import { beforeAll, describe, expect, it } from 'vitest';
import type { KmodSkewList, Problem } from '../api-types.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet, type HostSeed } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { skewListSchema, skewSchema } from './skew.schema.ts';

let server: ApiServer;
const ids: Record<string, string> = {};
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const signer = 'Debian Secure Boot CA';
/** Everything signed, and as it is loaded. */
const tree = ['e1000e', 'dm_mod', 'nf_tables'].map((name) => ({ name, signer }));
const plain = ['e1000e', 'dm_mod', 'nf_tables'];

beforeAll(async () => {
  const fleet = new Fleet(server.app);
  const add = async (seed: HostSeed): Promise<void> => {
    ids[seed.name] = await fleet.add({ devices: [], config: {}, ...seed });
  };
  const parameters = (value: string) => [
    {
      name: 'e1000e',
      parameters: Object.entries({ debug: value, rings: '2' }).map(([name, each]) => ({
        name,
        value: each,
        unreadableReason: '',
      })),
    },
  ];
  for (const name of ['a-1', 'a-2', 'a-3'])
    await add({ name, loaded: plain, available: tree, labels: { env: 'prod' }, parameters: parameters('0') });
  // Another build of e1000e under the same kernel, from outside of the tree and unsigned; the file is the distribution's.
  await add({
    name: 'b-odd',
    labels: { env: 'prod' },
    loaded: [{ name: 'e1000e', buildId: 'other', version: '3.8.7', taint: 'OE' }, 'dm_mod', 'nf_tables'],
    available: tree,
    parameters: parameters('7'),
  });
  // Another kernel: naturally other builds, and no skew.
  await add({
    name: 'c-new',
    kernel: '6.12.1-amd64',
    loaded: [
      { name: 'e1000e', buildId: 'new' },
      { name: 'dm_mod', buildId: 'new-dm' },
    ],
    available: [
      { name: 'e1000e', buildId: 'new', signer },
      { name: 'dm_mod', buildId: 'new-dm', signer },
    ],
    parameters: parameters('0'),
  });
  // Loaded from elsewhere; and a file that names no signer among those that do.
  await add({
    name: 'd-own',
    labels: { env: 'dev' },
    loaded: ['evil', 'dm_mod', 'nf_tables'],
    available: [{ name: 'dm_mod' }, { name: 'nf_tables', signer }],
  });
  // The file was updated, and what is loaded is the old one.
  await add({
    name: 'e-updated',
    loaded: ['nf_tables'],
    available: [{ name: 'nf_tables', buildId: 'newer', signer }],
  });
  await add({ name: 'f-no-tree', loaded: ['nf_tables'], available: 'no /lib/modules' });
  // What it last said is no skew: it may be another by now.
  await add({
    name: 'g-silent',
    presence: 'silent',
    loaded: [{ name: 'dm_mod', buildId: 'silent', taint: 'OE' }],
    available: tree,
  });
  await server.database.query(
    `INSERT INTO kmod_event (at, host_id, kmod_id, kind, source)
     SELECT at::timestamptz, host::uuid, (SELECT id FROM kmod WHERE name = kmod), kind, 'uevent' FROM (VALUES
       ('2026-03-02T10:00:00Z', $1, 'evil', 1), ('2026-03-01T10:00:00Z', $1, 'evil', 2), ('2026-03-05T10:00:00Z', $2, 'e1000e', 3), ('2026-03-04T10:00:00Z', $3, 'e1000e', 1)
     ) v (at, host, kmod, kind)`,
    [ids['d-own'], ids['b-odd'], ids['c-new']],
  );
});

const list = (query = ''): Promise<KmodSkewList> =>
  server.read(`/skew/kmods${query}`, skewListSchema) as Promise<KmodSkewList>;
const names = (answer: KmodSkewList): string[] => answer.items.map((item) => item.name);
const show = (path: string) => server.read(path, skewSchema);

describe('kmods that are not the same where they should be', () => {
  it('are listed with what is odd of them, on how many hosts, and who had them first', async () => {
    const answer = await list();
    expect(answer).toMatchObject({ coverage: { total: 9, fresh: 8, silent: 1 }, selectorUnknown: 0, nextCursor: null });
    const same = { kernels: 0, hosts: 0 };
    expect(answer.items).toEqual([
      {
        name: 'dm_mod',
        hosts: 6,
        builds: same,
        versions: same,
        // d-own's file names nobody: 4 hosts beside it say Debian.
        signers: { kernels: 1, hosts: 1 },
        fileDiffers: 0,
        fileMissing: 0,
        fileUnknown: 0,
        outOfTree: 0,
        unsigned: 1,
        first: null,
      },
      {
        name: 'e1000e',
        hosts: 5,
        builds: { kernels: 1, hosts: 1 },
        versions: { kernels: 1, hosts: 1 },
        signers: same,
        fileDiffers: 1,
        fileMissing: 0,
        fileUnknown: 0,
        outOfTree: 1,
        unsigned: 1,
        first: {
          at: '2026-03-04T10:00:00.000Z',
          host: { id: ids['c-new'], name: 'c-new' },
          kind: 'loaded',
          actionId: null,
        },
      },
      expect.objectContaining({
        name: 'evil',
        hosts: 1,
        fileMissing: 1,
        first: expect.objectContaining({ at: '2026-03-02T10:00:00.000Z', host: { id: ids['d-own'], name: 'd-own' } }),
      }),
      expect.objectContaining({
        name: 'nf_tables',
        hosts: 7,
        builds: same,
        fileDiffers: 1,
        fileUnknown: 1,
        unsigned: 0,
      }),
    ]);
  });

  it.each([
    ['?kind=build', ['e1000e']],
    ['?kind=file', ['e1000e', 'evil', 'nf_tables']],
    ['?kind=out_of_tree', ['e1000e']],
    ['?kind=unsigned,signer', ['dm_mod', 'e1000e']],
    ['?name=n*', ['nf_tables']],
    ['?selector=env%3Ddev', ['dm_mod', 'evil']],
    // Without b-odd all are alike.
    ['?selector=env!%3Dprod&kind=build,version', []],
  ])('are narrowed by %s', async (query, expected) => {
    expect(names(await list(query))).toEqual(expected);
  });

  it('are paged without losing or repeating one', async () => {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: KmodSkewList = await list(`?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...names(page));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(['dm_mod', 'e1000e', 'evil', 'nf_tables']);
  });

  it('are of the hosts that the caller may read', async () => {
    const viewer = await testCaller(server.app, [['viewer', 'env=prod']]);
    const answer = await server.call<KmodSkewList>('GET', '/api/v1/skew/kmods', { token: viewer.token });
    expect(names(answer.body)).toEqual(['e1000e']);
    // c-new had it first, and is none of theirs.
    expect(answer.body.items[0]?.first).toMatchObject({ host: { name: 'b-odd' }, kind: 'changed' });
    const evil = await server.call<Problem>('GET', '/api/v1/kmods/evil/skew', { token: viewer.token });
    expect(evil.body.code).toBe('kmod_unknown');
    const one = await server.call('GET', '/api/v1/kmods/e1000e/skew', { token: viewer.token });
    expect(JSON.stringify(one.body)).not.toMatch(/c-new|6\.12/);
  });

  it.each([
    ['/skew/kmods?kind=odd', 'query_invalid'],
    ['/skew/kmods?selector=', 'selector_invalid'],
    ['/skew/kmods?cursor=abc', 'cursor_invalid'],
    ['/kmods/nosuch/skew', 'kmod_unknown'],
    ['/kmods/-r/skew', 'kmod_name_invalid'],
    ['/kmods/e1000e/skew?limit=0', 'limit_invalid'],
  ])('%s is %s', async (path, code) => {
    expect((await server.call<Problem>('GET', `/api/v1${path}`)).body.code).toBe(code);
  });
});

describe('one kmod', () => {
  it('in which ways it is loaded: by kernel, the most frequent first, with hosts', async () => {
    const answer = await show('/kmods/e1000e/skew');
    expect(answer).toMatchObject({ name: 'e1000e', resolvedBy: 'name', hosts: 5, coverage: { total: 9, fresh: 8 } });
    expect(
      answer.items.map(({ kernel, buildId, file, hosts, mostCommon, outOfTree, unsigned, signer: by, examples }) => [
        kernel.release,
        buildId,
        file,
        hosts,
        mostCommon,
        outOfTree,
        unsigned,
        by,
        examples.map(({ name }) => name).join(' '),
      ]),
    ).toEqual([
      ['6.1.0-49-cloud-amd64', 'b1e1000e', 'same', 3, true, false, false, signer, 'a-1 a-2 a-3'],
      ['6.1.0-49-cloud-amd64', 'other', 'differs', 1, false, true, true, signer, 'b-odd'],
      ['6.12.1-amd64', 'new', 'same', 1, true, false, false, signer, 'c-new'],
    ]);
    expect(answer.items[1]?.oldest.host).toEqual({ id: ids['b-odd'], name: 'b-odd' });
    expect(answer.first).toMatchObject({ host: { name: 'c-new' } });
  });

  it('which parameters differ, and on how many hosts that was looked at', async () => {
    const { parameters } = await show('/kmods/e1000e/skew');
    expect(parameters).toEqual({
      compared: 5,
      of: 5,
      differing: [
        {
          parameter: 'debug',
          valueCount: 2,
          values: [
            { value: '0', hosts: 4, examples: expect.any(Array) },
            { value: '7', hosts: 1, examples: [{ id: ids['b-odd'], name: 'b-odd' }] },
          ],
        },
      ],
    });
    // None of these said what its parameters are.
    expect((await show('/kmods/nf_tables/skew?selector=!env')).parameters).toEqual({
      compared: 0,
      of: 2,
      differing: [],
    });
  });

  it('tells a missing file from one of which nothing is known', async () => {
    expect((await show('/kmods/evil/skew')).items).toMatchObject([{ file: 'missing', signer: null, hosts: 1 }]);
    const files = (await show('/kmods/nf-tables/skew')).items.map(({ file, hosts }) => [file, hosts]);
    expect(files).toEqual([
      ['same', 5],
      ['unknown', 1],
      ['differs', 1],
    ]);
  });

  it('is paged without losing or repeating a way', async () => {
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Awaited<ReturnType<typeof show>> = await show(
        `/kmods/e1000e/skew?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      seen.push(...page.items.map(({ buildId }) => buildId ?? ''));
      // Compared once, with the first page.
      expect(page.parameters === null).toBe(cursor !== '');
      expect(page.hosts).toBe(5);
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(['b1e1000e', 'other', 'new']);
  });
});
