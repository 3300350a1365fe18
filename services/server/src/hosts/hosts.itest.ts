import { BlockRung } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentGateway, type ServerMessage } from '../agent-session/agent-gateway.ts';
import type { LabelResult, Problem, RetiredHost } from '../api-types.ts';
import { driverHostsSchema } from '../drivers/drivers.schema.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { hostDevicesSchema, hostKmodsSchema, hostListSchema, hostSchema } from './hosts.schema.ts';

let server: ApiServer;
let fleet: Fleet;
const ids: Record<string, string> = {};

const blocks = [
  {
    kmod: 'floppy',
    rung: BlockRung.BLOCK_RUNG_INSTALL,
    file: '/etc/modprobe.d/f.conf',
    line: 1,
    detail: 'install floppy /bin/false',
  },
];

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  fleet = new Fleet(server.app);
  const add = async (seed: Parameters<Fleet['add']>[0]): Promise<void> => void (ids[seed.name] = await fleet.add(seed));
  await add({
    name: 'web-1',
    labels: { env: 'prod', role: 'web' },
    loaded: ['floppy', 'virtio_net'],
    available: ['floppy', 'virtio_net', 'e1000e', { name: 'ext4', builtin: true }],
    devices: [
      { bus: 'virtio', address: 'virtio0', driver: 'virtio_net', kmod: 'virtio_net', names: ['eth0'] },
      { bus: 'pci', address: '0000:00:01.0', driver: 'piix4-smbus', builtin: true },
    ],
    config: {
      blocks,
      lockdown: 'integrity',
      sigEnforce: true,
      unreadable: ['/etc/modprobe.d/secret.conf: permission denied'],
    },
    parameters: [
      {
        name: 'floppy',
        parameters: [
          { name: 'floppy', value: 'thinkpad', unreadableReason: '' },
          { name: 'key', unreadableReason: 'write-only' },
        ],
      },
    ],
  });
  await add({
    name: 'web-2',
    labels: { env: 'dev' },
    journalDamage: 'record',
    kernel: '6.12.41+deb13-cloud-amd64',
    loaded: ['virtio_net'],
    devices: [],
    available: [],
  });
  await add({ name: 'db-1', labels: { env: 'prod', role: 'db' }, presence: 'silent', loaded: ['floppy'], devices: [] });
  await add({ name: 'twin', loaded: [] });
  await fleet.add({ name: 'twin', loaded: [] });
  await add({ name: 'clone', quarantined: 'two machines, one key', loaded: ['floppy'] });
});

const list = (query: string) => server.read(`/hosts${query}`, hostListSchema);
const select = async (selector: string) => {
  const { items, matched, unknown } = await list(`?selector=${encodeURIComponent(selector)}`);
  return { names: items.map((host) => host.name), matched, unknown };
};
const problem = async (path: string): Promise<Problem> => (await server.call('GET', `/api/v1${path}`)).body;

describe('GET /hosts', () => {
  it('lists by name with coverage', async () => {
    const answer = await list('');
    expect(answer.items.map((host) => [host.name, host.connection])).toEqual([
      ['clone', 'quarantined'],
      ['db-1', 'silent'],
      ['twin', 'connected'],
      ['twin', 'connected'],
      ['web-1', 'connected'],
      ['web-2', 'connected'],
    ]);
    expect(answer).toMatchObject({
      matched: 6,
      unknown: 0,
      coverage: { total: 6, fresh: 4, silent: 1, incapable: 1, stale: 0 },
    });
    expect(answer.items[4]).toMatchObject({
      labels: { env: 'prod', role: 'web' },
      os: 'Debian GNU/Linux 12 (bookworm)',
      coverage: { loaded: 'fresh', parameters: 'fresh', available: 'fresh', devices: 'fresh', config: 'fresh' },
    });
  });

  it('pages', async () => {
    const first = await list('?limit=4');
    const second = await list(`?limit=4&cursor=${first.nextCursor}`);
    expect([...first.items, ...second.items].map((host) => host.id)).toHaveLength(6);
    expect(new Set([...first.items, ...second.items].map((host) => host.id)).size).toBe(6);
    expect(second.nextCursor).toBeNull();
  });

  it.each([
    ['env=prod', ['db-1', 'web-1'], 0],
    ['env!=prod', ['clone', 'twin', 'twin', 'web-2'], 0],
    ['role', ['db-1', 'web-1'], 0],
    ['!role,env', ['web-2'], 0],
    ['role in (db,cache)', ['db-1'], 0],
    ['role notin (db)', ['clone', 'twin', 'twin', 'web-1', 'web-2'], 0],
    ['@name~web-*', ['web-1', 'web-2'], 0],
    ['@kernel~6.12.*', ['web-2'], 2],
    ['@kernel!~6.12.*,env', ['web-1'], 1],
    ['@kernel<6.1.0-51', ['twin', 'twin', 'web-1'], 2],
    ['@kernel>6.1.0-51', ['web-2'], 2],
    ['@kernel<=6.1.0-49', ['twin', 'twin', 'web-1'], 2],
    ['@loaded=floppy', ['web-1'], 2],
    ['@loaded!=floppy', ['twin', 'twin', 'web-2'], 2],
    ['@loaded=virtio-net', ['web-1', 'web-2'], 2],
    ['@loaded~virtio_*', ['web-1', 'web-2'], 2],
    ['@loaded=nobody_has_this', [], 2],
    ['@driver=virtio_net', ['web-1'], 4],
    ['@driver=piix4_smbus', ['web-1'], 4],
    ['@driver!=virtio_net', ['web-2'], 4],
    ['@os=debian,@arch=x86_64,@mode=act', ['twin', 'twin', 'web-1', 'web-2'], 2],
    // One requirement that is false decides, whatever else is unknown.
    ['env=dev,@loaded=floppy', [], 0],
    ['env=prod,@loaded=floppy', ['web-1'], 1],
  ])('selects %s', async (selector, names, unknown) => {
    expect(await select(selector)).toEqual({ names, matched: names.length, unknown });
  });

  it('adds the unknown ones when asked', async () => {
    const answer = await list(`?includeUnknown=true&selector=${encodeURIComponent('@loaded=floppy')}`);
    expect(answer.items.map((host) => host.name)).toEqual(['clone', 'db-1', 'web-1']);
    expect(answer).toMatchObject({ matched: 1, unknown: 2, coverage: { total: 3 } });
  });

  it.each([
    ['?selector=', 'selector_invalid', 0],
    ['?selector=env%3Dprod%2C%2C', 'selector_invalid', 9],
    ['?selector=a%00', 'selector_invalid', 1],
    ['?limit=0', 'limit_invalid', undefined],
    ['?limit=1000000000', 'limit_invalid', undefined],
    ['?limit=-1', 'limit_invalid', undefined],
    ['?limit=1e3', 'limit_invalid', undefined],
    ['?cursor=nonsense', 'cursor_invalid', undefined],
    ['?colour=red', 'query_invalid', undefined],
    ['?name=%27%3B--', 'query_invalid', undefined],
  ])('refuses %s', async (query, code, offset) => {
    expect(await problem(`/hosts${query}`)).toMatchObject({
      status: 400,
      code,
      ...(offset === undefined ? {} : { offset }),
    });
  });
});

describe('GET /hosts/{host}', () => {
  it('shows one by id or by name', async () => {
    const byName = await server.read('/hosts/web-1', hostSchema);
    expect(byName).toMatchObject({
      id: ids['web-1'],
      counts: { loaded: 2, builtin: 1, onDisk: 1 },
      lockdown: 'integrity',
      sigEnforce: true,
      modulesDisabled: false,
      secureBoot: null,
      unreadable: ['/etc/modprobe.d/secret.conf: permission denied'],
      policy: { deny: ['kvm*'] },
      address: '192.0.2.7',
      journalDamage: null,
    });
    expect((await server.read('/hosts/web-2', hostSchema)).journalDamage).toEqual({
      kind: 'record',
      since: expect.any(String),
    });
    expect((await server.read(`/hosts/${ids['web-1']}`, hostSchema)).name).toBe('web-1');
    expect((await server.read('/hosts/twin'.replace('twin', ids['twin'] ?? ''), hostSchema)).counts).toEqual({
      loaded: 0,
      builtin: null,
      onDisk: null,
    });
  });

  it('refuses a name that several hosts have, and one that none has', async () => {
    const ambiguous = await problem('/hosts/twin');
    expect(ambiguous).toMatchObject({ status: 409, code: 'host_ambiguous' });
    expect(ambiguous.candidates).toContain(ids['twin']);
    expect(await problem('/hosts/wbe-1')).toMatchObject({ status: 404, code: 'host_not_found', candidates: ['web-1'] });
    expect(await problem('/hosts/a%00b')).toMatchObject({ status: 404, code: 'host_not_found' });
    expect(await problem('/hosts/00000000-0000-4000-8000-000000000000')).toMatchObject({ code: 'host_not_found' });
  });

  it('lists its kmods with parameters and blocks', async () => {
    const kmods = await server.read('/hosts/web-1/kmods', hostKmodsSchema);
    expect(kmods.items.map((kmod) => [kmod.name, kmod.presence])).toEqual([
      ['ext4', 'builtin'],
      ['floppy', 'loaded'],
      ['virtio_net', 'loaded'],
    ]);
    expect(kmods.items[1]).toMatchObject({
      parameters: { floppy: 'thinkpad', key: null },
      blocks: [{ rung: 'install', line: 1 }],
      fileDiffers: false,
      path: 'kernel/floppy.ko.xz',
    });
    const rest = await server.read('/hosts/web-1/kmods?presence=on_disk', hostKmodsSchema);
    expect(rest.items.map((kmod) => kmod.name)).toEqual(['e1000e']);
    const page = await server.read('/hosts/web-1/kmods?limit=2', hostKmodsSchema);
    const next = await server.read(`/hosts/web-1/kmods?limit=2&cursor=${page.nextCursor}`, hostKmodsSchema);
    expect(next.items.map((kmod) => kmod.name)).toEqual(['virtio_net']);
    expect(await problem('/hosts/web-1/kmods?presence=resident')).toMatchObject({ code: 'query_invalid' });
  });

  it('lists its devices', async () => {
    const devices = await server.read('/hosts/web-1/devices', hostDevicesSchema);
    expect(devices.items.map((device) => [device.driver, device.kmod, device.builtin])).toEqual([
      ['piix4-smbus', null, true],
      ['virtio_net', 'virtio_net', false],
    ]);
    expect((await server.read('/hosts/web-1/devices?driver=piix4_smbus', hostDevicesSchema)).items).toHaveLength(1);
    expect(await server.read('/hosts/db-1/devices', hostDevicesSchema)).toMatchObject({
      items: [],
      coverage: 'silent',
      reason: 'not connected',
    });
  });
});

describe('GET /drivers/{name}/hosts', () => {
  it('finds a driver that is built in, by either spelling', async () => {
    const answer = await server.read('/drivers/piix4_smbus/hosts', driverHostsSchema);
    expect(answer).toMatchObject({
      name: 'piix4-smbus',
      kmods: [],
      counts: { bound: 0, builtin: 1, none: 1, unknown: 4 },
    });
    expect(answer.items).toMatchObject([
      { host: { name: 'web-1' }, builtin: true, presence: 'builtin', devices: [{ address: '0000:00:01.0' }] },
    ]);
  });

  it('finds a driver by its kmod, and says who is unknown', async () => {
    const answer = await server.read('/drivers/virtio_net/hosts?presence=any', driverHostsSchema);
    expect(answer).toMatchObject({
      kmods: ['virtio_net'],
      counts: { bound: 1, builtin: 0, none: 1, unknown: 4 },
      lastSeen: { none: 1 },
    });
    expect(answer.items.map((item) => [item.host.name, item.presence, item.known])).toEqual([
      ['clone', null, false],
      ['db-1', 'none', false],
      ['twin', null, false],
      ['twin', null, false],
      ['web-1', 'bound', true],
      ['web-2', 'none', true],
    ]);
    expect(await problem('/drivers/nosuch/hosts')).toMatchObject({ status: 404, code: 'driver_unknown' });
  });

  it('resolves to its kmod, or to code built in, when asked as a kmod', async () => {
    const answer = await server.call<{ resolvedBy: string; counts: object }>('GET', '/api/v1/kmods/piix4-smbus/hosts');
    expect(answer.body).toMatchObject({ resolvedBy: 'driver', name: 'piix4_smbus', counts: { loaded: 0, builtin: 1 } });
  });
});

describe('PATCH /hosts', () => {
  it('sets and removes labels by selector, once', async () => {
    const label = (body: object) => server.call<LabelResult>('PATCH', '/api/v1/hosts', { body });
    expect((await label({ selector: 'env=dev', labels: { team: 'net', env: null } })).body).toMatchObject({
      matched: 1,
      changed: 1,
      hosts: [{ name: 'web-2' }],
    });
    expect((await server.read('/hosts/web-2', hostSchema)).labels).toEqual({ team: 'net' });
    expect((await label({ hosts: ['web-2'], labels: { team: 'net' } })).body).toMatchObject({
      matched: 1,
      changed: 0,
      hosts: [],
    });
    expect((await label({ selector: '@loaded=floppy', labels: { f: '1' } })).body).toMatchObject({
      matched: 1,
      changed: 1,
      unknown: 2,
    });
    expect((await label({ hosts: ['web-2', 'nope'], labels: { x: 'y' } })).body).toMatchObject({
      code: 'host_not_found',
    });
    expect((await server.read('/hosts/web-2', hostSchema)).labels).toEqual({ team: 'net' });
  });

  it.each([
    [{ labels: { a: 'b' } }, 'body_invalid'],
    [{ all: true, selector: 'a', labels: { a: 'b' } }, 'body_invalid'],
    [{ all: true, labels: {} }, 'body_invalid'],
    [{ all: true, labels: { 'bad key': 'x' } }, 'body_invalid'],
    [{ all: true, labels: { a: 'b' }, extra: 1 }, 'body_invalid'],
    [{ selector: '', labels: { a: 'b' } }, 'selector_invalid'],
    [{ all: true, labels: { a: 'nul\0' } }, 'body_invalid'],
  ])('refuses %j', async (body, code) => {
    expect((await server.call('PATCH', '/api/v1/hosts', { body })).body).toMatchObject({ status: 400, code });
  });
});

describe('DELETE /hosts/{host}', () => {
  it('retires for good, ends the session and leaves a tombstone', async () => {
    const id = await fleet.add({ name: 'old-1', loaded: ['floppy'] });
    const sent: ServerMessage[] = [];
    const gateway = server.app.get(AgentGateway);
    gateway.attach({ hostId: id, sessionNo: 1, quarantined: false, send: (message) => sent.push(message) > 0 });
    const answer = await server.call<RetiredHost>('DELETE', '/api/v1/hosts/old-1', { body: { reason: 'scrapped' } });
    expect(answer).toMatchObject({
      status: 200,
      body: { host: { id, name: 'old-1' }, reason: 'scrapped', retiredBy: 'tests' },
    });
    expect(sent[0]).toMatchObject({ $case: 'reconnect', value: { reason: 'retired' } });
    expect(await server.read(`/hosts/${id}`, hostSchema)).toMatchObject({ connection: 'retired', connected: false });
    // Its name may be another machine's one day: by name it is only said that and when it was retired, and its id.
    const retired = { status: 409, code: 'host_retired', candidates: [id] };
    const paths = ['/hosts/old-1', '/hosts/old-1/kmods', '/hosts/old-1/events', '/actions?host=old-1'];
    for (const each of paths) {
      const said = await problem(each);
      expect(said).toMatchObject(retired);
      expect(said.detail).toMatch(`"old-1" was retired at ${answer.body.retiredAt}; its id is ${id}`);
    }
    const target = { hosts: ['old-1'], labels: { x: 'y' } };
    expect((await server.call('PATCH', '/api/v1/hosts', { body: target })).body).toMatchObject(retired);
    expect((await list('?includeRetired=true&name=old-*')).items).toMatchObject([{ connection: 'retired' }]);
    expect((await list('?name=old-*')).matched).toBe(0);
    for (const idOrName of [id, 'old-1'])
      expect((await server.call('DELETE', `/api/v1/hosts/${idOrName}`)).body).toMatchObject(retired);
    const again = await fleet.add({ name: 'old-1', loaded: [] });
    expect(await server.read('/hosts/old-1', hostSchema)).toMatchObject({ id: again });
  });
});
