import { BlockRung } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HostDiff } from '../api-types.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { hostDiffSchema } from './host-diff.schema.ts';

let server: ApiServer;

const nic = {
  bus: 'pci',
  address: '0000:00:1f.6',
  driver: 'e1000e',
  kmod: 'e1000e',
  modalias: 'pci:x',
  names: ['eth0'],
};
const parameter = (value: string) => [
  { name: 'ext4', parameters: [{ name: 'mode', value, unreadableReason: '' }] },
  { name: 'zlib', parameters: [{ name: 'level', value: '6', unreadableReason: '' }] },
];
const block = {
  kmod: 'floppy',
  rung: BlockRung.BLOCK_RUNG_BLACKLIST,
  file: '/etc/modprobe.d/x.conf',
  line: 3,
  detail: '',
};
const line = { keyword: 'options', arguments: 'ext4 mode=1', line: 1 };

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  const fleet = new Fleet(server.app);
  const common = {
    loaded: ['ext4', { name: 'e1000e', buildId: 'one', taint: 'OE' }, 'floppy'],
    devices: [nic],
    config: { modprobe: [{ ...line, file: '/etc/modprobe.d/a.conf' }], kernelCmdline: 'quiet' },
    parameters: parameter('1'),
    available: ['ext4'],
  };
  await fleet.add({ name: 'a', ...common, labels: { env: 'prod' } });
  // The same line in another file does the same.
  await fleet.add({
    name: 'twin',
    ...common,
    config: { ...common.config, modprobe: [{ ...line, file: '/etc/modprobe.d/b.conf' }] },
  });
  await fleet.add({
    name: 'b',
    kernel: '6.12.0-1-amd64',
    loaded: ['ext4', { name: 'e1000e', buildId: 'two' }, 'nvme'],
    devices: [
      { ...nic, driver: '', kmod: '' },
      { ...nic, address: '0000:01:00.0' },
    ],
    config: { modprobe: [], kernelCmdline: 'quiet splash', blocks: [block] },
    parameters: parameter('2'),
    available: ['ext4'],
  });
  await fleet.add({ name: 'partly', loaded: common.loaded, presence: 'silent' });
});

const diff = (a: string, b: string): Promise<HostDiff> => server.read(`/hosts/${a}/diff?with=${b}`, hostDiffSchema);

describe('GET /hosts/{host}/diff', () => {
  it('tells part by part in what two hosts differ', async () => {
    const found = await diff('a', 'b');
    expect(found).toMatchObject({ a: { name: 'a' }, b: { name: 'b' }, same: false });
    expect(found.kernel).toEqual([{ field: 'kernelRelease', a: '6.1.0-49-cloud-amd64', b: '6.12.0-1-amd64' }]);
    expect(found.kmods).toMatchObject([
      {
        name: 'e1000e',
        a: { buildId: 'one', taint: 'OE' },
        b: { buildId: 'two', taint: '' },
        differs: ['buildId', 'taint'],
      },
      { name: 'floppy', a: { buildId: 'b1floppy' }, b: null, differs: [] },
      { name: 'nvme', a: null, b: { buildId: 'b1nvme' }, differs: [] },
    ]);
    expect(found.parameters).toEqual([{ kmod: 'ext4', parameter: 'mode', a: '1', b: '2' }]);
    expect(found.config).toEqual([
      { what: 'kernel command line', a: 'quiet', b: 'quiet splash' },
      { what: 'blocked: floppy (blacklist)', a: null, b: '/etc/modprobe.d/x.conf:3' },
      { what: 'modprobe.d: options ext4 mode=1', a: '/etc/modprobe.d/a.conf:1', b: null },
    ]);
    expect(found.devices).toMatchObject([
      {
        address: '0000:00:1f.6',
        a: { driver: 'e1000e', kmod: 'e1000e', names: ['eth0'] },
        b: { driver: '', kmod: null },
      },
      { address: '0000:01:00.0', a: null, b: { driver: 'e1000e' } },
    ]);
  });

  it('is the same with the sides changed, and nothing for a host and itself', async () => {
    const [there, back] = [await diff('a', 'b'), await diff('b', 'a')];
    const turned = (rows: readonly { a: unknown; b: unknown }[] | null) =>
      rows?.map((row) => ({ ...row, a: row.b, b: row.a }));
    for (const part of ['kernel', 'kmods', 'parameters', 'config', 'devices'] as const)
      expect(turned(back[part])).toEqual(there[part]);
    expect(await diff('a', 'a')).toMatchObject({
      same: true,
      kernel: [],
      kmods: [],
      parameters: [],
      config: [],
      devices: [],
    });
  });

  it('takes the same line in another file for the same', async () => {
    expect(await diff('a', 'twin')).toMatchObject({ same: true, config: [] });
  });

  it('does not compare what one of them never reported, and calls nothing the same that is not fresh', async () => {
    const found = await diff('a', 'partly');
    expect(found).toMatchObject({ same: false, kmods: [], parameters: null, config: null, devices: null });
    const loaded = found.facets.find((facet) => facet.facet === 'loaded');
    expect(loaded).toMatchObject({
      a: { coverage: 'fresh', reason: null },
      b: { coverage: 'silent', reason: 'not connected' },
    });
  });

  it('finds neither host that the caller may not read', async () => {
    const { token } = await testCaller(server.app, [['viewer', 'env=prod']]);
    for (const [path, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const { body } = await server.call('GET', `/api/v1/hosts/${path}/diff?with=${other}`, { token });
      expect(body.code).toBe('host_not_found');
    }
    expect((await server.call('GET', '/api/v1/hosts/a/diff?with=a', { token })).status).toBe(200);
  });
});
