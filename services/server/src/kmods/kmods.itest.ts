import { BlockRung } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Problem } from '../api-types.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { kmodHostsSchema, kmodListSchema, kmodSchema } from './kmods.schema.ts';

let server: ApiServer;
const ids: Record<string, string> = {};

const tree = [
  'e1000e',
  { name: 'ext4', builtin: true },
  { name: 'algif_aead', aliases: ['crypto-aead', 'algif-aead'] },
];
const nic = {
  bus: 'pci',
  address: '0000:00:1f.6',
  driver: 'e1000e',
  kmod: 'e1000e',
  modalias: 'pci:v00008086d000015BE',
  names: ['eth0'],
};

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  const fleet = new Fleet(server.app);
  const add = async (seed: Parameters<Fleet['add']>[0]): Promise<void> => void (ids[seed.name] = await fleet.add(seed));
  await add({
    name: 'a-loaded',
    loaded: ['e1000e', 'snd_hda_intel'],
    available: tree,
    devices: [nic],
    config: {},
    labels: { env: 'prod' },
  });
  await add({
    name: 'b-differs',
    kernel: '6.1.0-51-amd64',
    loaded: [{ name: 'e1000e', buildId: 'other', version: '3.8.7', taint: 'OE', size: 1000 }],
    available: tree,
    devices: [],
    config: {
      blocks: [
        {
          kmod: 'e1000e',
          rung: BlockRung.BLOCK_RUNG_BLACKLIST,
          file: '/etc/modprobe.d/x.conf',
          line: 3,
          detail: 'blacklist e1000e',
        },
        {
          kmod: 'other',
          rung: BlockRung.BLOCK_RUNG_CMDLINE_KERNEL,
          file: '/proc/cmdline',
          line: 0,
          detail: 'module_blacklist=other',
        },
      ],
    },
  });
  await add({ name: 'c-builtin', loaded: [], available: [{ name: 'e1000e', builtin: true }], devices: [], config: {} });
  await add({
    name: 'd-bound',
    loaded: [],
    available: [],
    devices: [
      { ...nic, kmod: '', builtin: true },
      { address: '0000:00:02.0', driver: 'virtio-pci', builtin: true },
    ],
    config: {},
  });
  await add({
    name: 'e-disk',
    loaded: ['floppy'],
    available: tree,
    devices: [],
    config: {
      modulesDisabled: true,
      blocks: [
        {
          kmod: '',
          rung: BlockRung.BLOCK_RUNG_MODULES_DISABLED,
          file: 'kernel.modules_disabled',
          line: 0,
          detail: '1',
        },
      ],
    },
  });
  await add({ name: 'f-absent', loaded: ['floppy'], available: ['floppy'], devices: [], config: {} });
  await add({
    name: 'g-silent',
    presence: 'silent',
    loaded: ['e1000e'],
    available: tree,
    devices: [nic],
    config: {},
    labels: { env: 'prod' },
  });
  await add({ name: 'h-stale', loaded: ['e1000e'], available: tree, stale: ['loaded'], config: {} });
  await add({ name: 'i-never', presence: 'never' });
  await add({
    name: 'j-incapable',
    loaded: 'the kernel has no loadable modules',
    available: 'no /lib/modules',
    devices: [],
  });
  await add({ name: 'k-no-tree', loaded: ['floppy'], available: 'no /lib/modules/6.1.0', devices: [] });
  await add({ name: 'l-quarantined', quarantined: 'clone of another', loaded: ['e1000e'], available: tree });
});

const hostsOf = (path: string) => server.read(path, kmodHostsSchema);
const names = (list: { items: { host: { name: string } }[] }): string[] => list.items.map((item) => item.host.name);
const problem = async (path: string): Promise<Problem> => (await server.call('GET', `/api/v1${path}`)).body;

describe('GET /kmods/{name}/hosts', () => {
  it('counts only what is known, and says of the rest what it last said', async () => {
    const list = await hostsOf('/kmods/e1000e/hosts');
    expect(names(list)).toEqual(['a-loaded', 'b-differs', 'c-builtin', 'd-bound']);
    expect(list).toMatchObject({
      name: 'e1000e',
      resolvedBy: 'name',
      counts: { loaded: 2, builtin: 2, onDisk: 1, absent: 1, unknown: 6 },
      lastSeen: { loaded: 3, builtin: 0, onDisk: 0, absent: 0 },
      coverage: { total: 12, fresh: 6, stale: 1, silent: 2, incapable: 3 },
      freeze: null,
      nextCursor: null,
    });
  });

  it('says why each other host is unknown', async () => {
    const list = await hostsOf('/kmods/e1000e/hosts?presence=unknown');
    expect(
      list.items.map(({ host, presence, known, coverage, reason }) => [host.name, presence, known, coverage, reason]),
    ).toEqual([
      ['g-silent', 'loaded', false, 'silent', 'not connected'],
      ['h-stale', 'loaded', false, 'stale', 'not observed lately'],
      ['i-never', null, false, 'silent', 'never connected'],
      ['j-incapable', null, false, 'incapable', 'the kernel has no loadable modules'],
      [
        'k-no-tree',
        null,
        false,
        'incapable',
        'not loaded; whether it is built in or on disk is not known: no /lib/modules/6.1.0',
      ],
      ['l-quarantined', 'loaded', false, 'incapable', 'quarantined: clone of another'],
    ]);
  });

  it('shows build, file, blocks and devices of each host', async () => {
    const { items } = await hostsOf('/kmods/e1000e/hosts');
    expect(items[0]).toMatchObject({
      loaded: { buildId: 'b1e1000e', state: 'live', version: null },
      fileDiffers: false,
      blocked: 'no',
      blocks: [],
      devices: [{ bus: 'pci', address: '0000:00:1f.6', driver: 'e1000e', names: ['eth0'] }],
    });
    expect(items[1]).toMatchObject({
      kernelRelease: '6.1.0-51-amd64',
      loaded: { buildId: 'other', version: '3.8.7', taint: 'OE', size: 1000 },
      fileDiffers: true,
      blocked: 'partly',
      blocks: [{ rung: 'blacklist', file: '/etc/modprobe.d/x.conf', line: 3, detail: 'blacklist e1000e' }],
    });
    expect(items[3]).toMatchObject({ presence: 'builtin', known: true, loaded: null, devices: [{ driver: 'e1000e' }] });
  });

  it('tells on disk from absent, and what modules_disabled blocks', async () => {
    const disk = await hostsOf('/kmods/e1000e/hosts?presence=on_disk');
    expect(names(disk)).toEqual(['e-disk']);
    expect(disk.items[0]).toMatchObject({ blocked: 'kernel', blocks: [{ rung: 'modules_disabled' }] });
    expect(names(await hostsOf('/kmods/e1000e/hosts?presence=absent'))).toEqual(['f-absent']);
    expect(names(await hostsOf('/kmods/e1000e/hosts?presence=any'))).toHaveLength(12);
  });

  it('narrows by selector, and counts apart whom the selector cannot judge', async () => {
    const prod = await hostsOf('/kmods/e1000e/hosts?selector=env%3Dprod&presence=any');
    expect(names(prod)).toEqual(['a-loaded', 'g-silent']);
    expect(prod).toMatchObject({ coverage: { total: 2, fresh: 1, silent: 1 }, selectorUnknown: 0 });
    const newer = await hostsOf(`/kmods/e1000e/hosts?selector=${encodeURIComponent('@kernel>=6.1.0-51')}`);
    expect(names(newer)).toEqual(['b-differs']);
    // g, i: not connected; l: quarantined. Their kernel may be another by now.
    expect(newer).toMatchObject({ coverage: { total: 1 }, selectorUnknown: 3 });
    const wide = await hostsOf(
      `/kmods/e1000e/hosts?includeUnknown=true&presence=any&selector=${encodeURIComponent('@kernel>=6.1.0-51')}`,
    );
    expect(names(wide)).toEqual(['b-differs', 'g-silent', 'i-never', 'l-quarantined']);
  });

  it('pages without losing or repeating a host', async () => {
    const all: string[] = [];
    let first: Awaited<ReturnType<typeof hostsOf>> | undefined;
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof hostsOf>> = await hostsOf(
        `/kmods/e1000e/hosts?presence=any&limit=5${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(page.coverage.total).toBe(12);
      first ??= page;
      // What counts the whole answer is carried on from the first page.
      expect(page).toMatchObject({
        counts: first.counts,
        lastSeen: first.lastSeen,
        coverage: first.coverage,
        asOf: first.asOf,
      });
      all.push(...names(page));
      cursor = page.nextCursor;
    }
    expect(all).toHaveLength(12);
    expect(new Set(all).size).toBe(12);
    expect(all).toEqual([...all].sort());
  });

  it('takes a cursor only for the list that it came from', async () => {
    const { nextCursor } = await hostsOf('/kmods/e1000e/hosts?presence=any&limit=5');
    expect(await problem(`/kmods/floppy/hosts?presence=any&limit=5&cursor=${nextCursor}`)).toMatchObject({
      code: 'cursor_invalid',
    });
    const forged = `${(nextCursor ?? '').slice(0, -2)}AA`;
    expect(await problem(`/kmods/e1000e/hosts?presence=any&cursor=${forged}`)).toMatchObject({
      code: 'cursor_invalid',
      status: 400,
    });
  });
});

describe('names', () => {
  it.each([
    ['snd-hda-intel', 'snd_hda_intel', 'name'],
    ['algif-aead', 'algif_aead', 'name'],
    ['crypto-aead', 'algif_aead', 'alias'],
    ['crypto_aead', 'algif_aead', 'alias'],
  ])('%s is %s by %s', async (requested, name, resolvedBy) => {
    expect(await hostsOf(`/kmods/${requested}/hosts`)).toMatchObject({ requested, name, resolvedBy });
  });

  it.each([
    ['nosuch_thing', 404, 'kmod_unknown'],
    ['e1000', 404, 'kmod_unknown'],
    ['-r', 400, 'kmod_name_invalid'],
    ['..%2Fetc%2Fpasswd', 400, 'kmod_name_invalid'],
    ['a;reboot', 400, 'kmod_name_invalid'],
    ['a%0Ab', 400, 'kmod_name_invalid'],
    ['a%00b', 400, 'kmod_name_invalid'],
    ['e1000%D0%B5', 400, 'kmod_name_invalid'],
    ['x'.repeat(56), 400, 'kmod_name_invalid'],
    ['x'.repeat(800), 400, 'kmod_name_invalid'],
    ['%20', 400, 'kmod_name_invalid'],
  ])('%s answers %d %s', async (requested, status, code) => {
    expect(await problem(`/kmods/${requested}/hosts`)).toMatchObject({ status, code });
  });

  it('offers names like the one that nobody knows', async () => {
    expect(await problem('/kmods/e1000/hosts')).toMatchObject({ candidates: ['e1000e'] });
  });
});

describe('GET /kmods/{name}', () => {
  it('sums up the kmod over the fleet', async () => {
    const kmod = await server.read('/kmods/e1000e', kmodSchema);
    expect(kmod).toMatchObject({
      counts: { loaded: 2, builtin: 2, onDisk: 1, absent: 1, unknown: 6 },
      drivers: ['e1000e'],
      license: 'GPL',
      blocked: { no: 5, partly: 1, kernel: 1, unknown: 5 },
    });
    expect(kmod.builds).toEqual([
      { buildId: 'b1e1000e', version: null, kernelRelease: '6.1.0-49-cloud-amd64', hosts: 1 },
      { buildId: 'other', version: '3.8.7', kernelRelease: '6.1.0-51-amd64', hosts: 1 },
    ]);
  });
});

describe('GET /kmods', () => {
  it('lists what is loaded or built in, with counts by what is known', async () => {
    const list = await server.read('/kmods', kmodListSchema);
    // virtio_pci is built in by what a device of d-bound shows, and no host has a kmod of that name.
    expect(list.items.map((item) => item.name)).toEqual(['e1000e', 'ext4', 'floppy', 'snd_hda_intel', 'virtio_pci']);
    expect(list.items[0]).toEqual({
      name: 'e1000e',
      counts: { loaded: 2, builtin: 2, onDisk: 1 },
      lastSeen: { loaded: 3, builtin: 0, onDisk: 0 },
    });
    expect(list.items.at(-1)).toMatchObject({ counts: { loaded: 0, builtin: 1, onDisk: 0 } });
    expect(list.coverage).toEqual({ total: 12, fresh: 7, stale: 1, silent: 2, incapable: 2 });
  });

  it('counts as the page of each kmod does', async () => {
    const list = await server.read('/kmods?presence=any', kmodListSchema);
    for (const { name, counts, lastSeen } of list.items) {
      const kmod = await server.read(`/kmods/${name}`, kmodSchema);
      expect([name, kmod.counts, kmod.lastSeen]).toMatchObject([name, counts, lastSeen]);
    }
    expect(list.items).toHaveLength(6);
  });

  it('filters by glob and pages', async () => {
    const first = await server.read('/kmods?name=*e*&presence=any&limit=2', kmodListSchema);
    expect(first.items.map((item) => item.name)).toEqual(['algif_aead', 'e1000e']);
    const second = await server.read(`/kmods?name=*e*&presence=any&limit=2&cursor=${first.nextCursor}`, kmodListSchema);
    expect(second.items.map((item) => item.name)).toEqual(['ext4', 'snd_hda_intel']);
    expect(second.nextCursor).toBeNull();
    expect((await server.read('/kmods?name=snd-*', kmodListSchema)).items).toHaveLength(1);
  });

  it.each(['', 'selector=env%3Dprod&', 'presence=any&', 'presence=on_disk&selector=env%3Dprod&'])(
    'is the same in pages of one as in one page: %s',
    async (query) => {
      const whole = await server.read(`/kmods?${query}`, kmodListSchema);
      const items: typeof whole.items = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: typeof whole = await server.read(
          `/kmods?${query}limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
          kmodListSchema,
        );
        items.push(...page.items);
        cursor = page.nextCursor;
      }
      expect(items).toEqual(whole.items);
      expect(items.length).toBeGreaterThan(0);
    },
  );
});
