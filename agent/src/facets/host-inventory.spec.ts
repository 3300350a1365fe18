import { decodeFacet, Facet, KmodEventKind, KmodPresence, type KmodEvents, type KnownFacet } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeExec } from '../exec/fake-exec.ts';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { collectHere } from './available.ts';
import { createInventory } from './host-inventory.ts';
import type { FacetSnapshot, Inventory } from './inventory.ts';

const RELEASE = '6.1.0-test';
const FOLDER = `/lib/modules/${RELEASE}`;
const HEADER = ['monitor will print the received events for:', 'KERNEL - the kernel uevent', ''];
/** Longer than any test: only what a test does makes a look happen. */
const NEVER = { pollMs: 2_000_000, facetMs: 2_000_000 };

function uevent(action: 'add' | 'remove', kmod: string): string[] {
  return [`KERNEL[1.0] ${action}  /module/${kmod} (module)`, ''];
}

describe('the inventory of a host', () => {
  let files: MemoryHostFiles;
  let exec: FakeExec;
  let nowMs: number;
  let inventory: Inventory;
  let told: (FacetSnapshot | KmodEvents)[];
  let waiting: (() => void)[];

  beforeEach(() => {
    files = new MemoryHostFiles({
      '/proc/version': 'Linux',
      '/proc/sys/kernel/osrelease': `${RELEASE}\n`,
      '/proc/cmdline': 'quiet\n',
      '/proc/modules': 'dummy 12288 0 - Live 0x0\n',
      '/sys/module/dummy/parameters/numdummies': '2\n',
      [`${FOLDER}/modules.dep`]: 'kernel/net/tipc.ko:\nkernel/drivers/net/dummy.ko:\n',
      [`${FOLDER}/modules.builtin`]: 'kernel/fs/ext4.ko\n',
      '/sys/bus/pci/devices/x/modalias': 'pci:1\n',
      '/etc/modprobe.d/a.conf': 'install tipc /bin/false\n',
    });
    exec = new FakeExec({ udevadm: () => ({}) });
    nowMs = 1_000;
    told = [];
    waiting = [];
    inventory = createInventory({
      files,
      exec,
      clock: { nowMs: () => nowMs },
      collectAvailable: collectHere(files),
      attributionOf: (kmod) => (kmod === 'ours' ? 'action-1' : undefined),
    });
    inventory.onChange((changed) => tell(...changed));
    inventory.onKmodEvents((events) => tell(events));
  });
  afterEach(() => inventory.stop());

  function tell(...what: readonly (FacetSnapshot | KmodEvents)[]): void {
    told.push(...what);
    for (const wake of waiting.splice(0)) wake();
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  }

  function snapshot(facet: KnownFacet): FacetSnapshot {
    const found = inventory.snapshots().find((one) => one.facet === facet);
    if (found === undefined) throw new Error(`no snapshot of facet ${facet}`);
    return found;
  }

  async function value<F extends KnownFacet>(facet: F) {
    const { state } = snapshot(facet);
    if (state.kind === 'incapable') throw new Error(state.reason);
    return decodeFacet(facet, await state.bytes());
  }

  function loadedChanges(): number {
    return told.filter((one) => 'facet' in one && one.facet === Facet.FACET_LOADED).length;
  }

  it('has all five facets after the start', async () => {
    await inventory.start(NEVER);
    expect(inventory.snapshots().map(({ facet, state }) => [facet, state.kind])).toEqual([
      [Facet.FACET_LOADED, 'value'],
      [Facet.FACET_PARAMETERS, 'value'],
      [Facet.FACET_AVAILABLE, 'value'],
      [Facet.FACET_DEVICES, 'value'],
      [Facet.FACET_CONFIG, 'value'],
    ]);
    expect((await value(Facet.FACET_PARAMETERS)).kmods).toMatchObject([
      { name: 'dummy', parameters: [{ name: 'numdummies', value: '2' }] },
    ]);
    expect((await value(Facet.FACET_AVAILABLE)).kmods.map((kmod) => kmod.name)).toEqual(['dummy', 'ext4', 'tipc']);
    expect((await value(Facet.FACET_DEVICES)).devices).toMatchObject([{ bus: 'pci', address: 'x', modalias: 'pci:1' }]);
    expect((await value(Facet.FACET_CONFIG)).blocks).toMatchObject([{ kmod: 'tipc' }]);
  });

  it('says of every facet that it was not observed before the start', () => {
    expect(inventory.snapshots().map(({ state }) => state.kind)).toEqual(Array(5).fill('incapable'));
  });

  it('tells a load by uevent with its action, before the change of loaded, then its parameters', async () => {
    await inventory.start(NEVER);
    exec.streams[0]?.write(...HEADER);
    told.length = 0;
    files.nodes.set('/proc/modules', 'ours 4096 0 - Live 0x0\ndummy 12288 0 - Live 0x0\n');
    files.nodes.set('/sys/module/ours/parameters/p', '1\n');
    exec.streams[0]?.write(...uevent('add', 'ours'));
    await until(() => told.length >= 3);
    expect(told[0]).toMatchObject({
      lost: false,
      events: [{ kmod: 'ours', kind: KmodEventKind.KMOD_EVENT_KIND_LOADED, source: 'uevent', actionId: 'action-1' }],
    });
    expect(told.slice(1).map((one) => 'facet' in one && one.facet)).toEqual([
      Facet.FACET_LOADED,
      Facet.FACET_PARAMETERS,
    ]);
    expect((await value(Facet.FACET_PARAMETERS)).kmods.map((kmod) => kmod.name)).toEqual(['dummy', 'ours']);
  });

  it('tells of a kmod that loaded and unloaded between two looks', async () => {
    await inventory.start(NEVER);
    exec.streams[0]?.write(...HEADER);
    exec.streams[0]?.write(...uevent('add', 'tipc'), ...uevent('remove', 'tipc'));
    await until(() => told.some((one) => 'events' in one && one.events.length > 0));
    const events = told.flatMap((one) => ('events' in one ? one.events : []));
    expect(events.map(({ kmod, kind }) => [kmod, kind])).toEqual([
      ['tipc', KmodEventKind.KMOD_EVENT_KIND_LOADED],
      ['tipc', KmodEventKind.KMOD_EVENT_KIND_UNLOADED],
    ]);
  });

  it('finds changes by polling where there are no uevents', async () => {
    exec = new FakeExec();
    await inventory.start({ pollMs: 10, facetMs: 2_000_000 });
    files.nodes.set('/proc/modules', '');
    await until(() => told.some((one) => 'events' in one));
    expect(told.find((one) => 'events' in one)).toMatchObject({
      events: [{ kmod: 'dummy', kind: KmodEventKind.KMOD_EVENT_KIND_UNLOADED, source: 'poll', actionId: '' }],
    });
  });

  it('polls seldom while uevents are watched, and often again when they are not', async () => {
    vi.useFakeTimers();
    try {
      const started = inventory.start({ pollMs: 10, quietPollMs: 5_000, facetMs: 2_000_000 });
      await vi.advanceTimersByTimeAsync(10);
      await started;
      exec.streams[0]?.write(...HEADER);
      await vi.advanceTimersByTimeAsync(100);
      told.length = 0;
      nowMs = 2_000;
      await vi.advanceTimersByTimeAsync(1_000);
      expect(snapshot(Facet.FACET_LOADED).observedAtMs).toBe(1_000);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(snapshot(Facet.FACET_LOADED).observedAtMs).toBe(2_000);
      exec.streams[0]?.end('killed');
      await vi.advanceTimersByTimeAsync(0);
      nowMs = 3_000;
      await vi.advanceTimersByTimeAsync(100);
      expect(snapshot(Facet.FACET_LOADED).observedAtMs).toBe(3_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it('reads sysfs again for what stays loaded only where no uevents are watched', async () => {
    vi.useFakeTimers();
    try {
      const started = inventory.start({ pollMs: 2_000_000, facetMs: 10_000 });
      await vi.advanceTimersByTimeAsync(10);
      await started;
      const rounds = async (): Promise<number> => {
        files.reads.length = 0;
        await vi.advanceTimersByTimeAsync(20_000);
        return files.reads.filter((path) => path === '/sys/module/dummy/version').length;
      };
      expect(await rounds()).toBe(2);
      exec.streams[0]?.write(...HEADER);
      await vi.advanceTimersByTimeAsync(100);
      expect(await rounds()).toBe(0);
      exec.streams[0]?.end('killed');
      await vi.advanceTimersByTimeAsync(100);
      expect(await rounds()).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('says that events may be lost when the watch breaks off, and reads everything again', async () => {
    await inventory.start(NEVER);
    exec.streams[0]?.write(...HEADER);
    files.nodes.set('/sys/module/dummy/version', '2\n');
    exec.streams[0]?.end('killed');
    await until(() => told.some((one) => 'events' in one && one.lost));
    await until(() => loadedChanges() === 2);
    expect((await value(Facet.FACET_LOADED)).kmods).toMatchObject([{ name: 'dummy', version: '2' }]);
  });

  it('becomes incapable when /proc/modules goes, and capable again without inventing events', async () => {
    await inventory.start({ pollMs: 10, facetMs: 2_000_000 });
    files.nodes.set('/proc/modules', { errno: 'EACCES' });
    await until(() => loadedChanges() === 2);
    expect(snapshot(Facet.FACET_LOADED).state).toMatchObject({ kind: 'incapable' });
    files.nodes.set('/proc/modules', 'tipc 1 0 - Live 0x0\n');
    await until(() => loadedChanges() === 3);
    expect(told.filter((one) => 'events' in one)).toEqual([]);
  });

  it('does not make parameters younger by reading some of them', async () => {
    await inventory.start(NEVER);
    nowMs = 5_000;
    files.nodes.set('/proc/modules', 'tipc 1 0 - Live 0x0\ndummy 12288 0 - Live 0x0\n');
    files.nodes.set('/sys/module/tipc/parameters/p', '1\n');
    told.length = 0;
    exec.streams[0]?.write(...HEADER);
    await until(() => told.some((one) => 'facet' in one && one.facet === Facet.FACET_PARAMETERS));
    expect(snapshot(Facet.FACET_LOADED).observedAtMs).toBe(5_000);
    expect(snapshot(Facet.FACET_PARAMETERS).observedAtMs).toBe(1_000);
  });

  it('keeps a digest while the content is the same, and changes it with the content', async () => {
    await inventory.start(NEVER);
    const before = snapshot(Facet.FACET_AVAILABLE).state;
    inventory.setIntervals({ pollMs: 2_000_000, facetMs: 10 });
    files.nodes.set(`${FOLDER}/modules.dep`, 'kernel/net/tipc.ko:\n');
    await until(() => told.filter((one) => 'facet' in one && one.facet === Facet.FACET_AVAILABLE).length === 2);
    expect(snapshot(Facet.FACET_AVAILABLE).state).not.toEqual(before);
    expect(loadedChanges()).toBe(1);
  });

  it('looks again at what an action of ours wrote, and at nothing else', async () => {
    await inventory.start(NEVER);
    const changed = (facet: Facet): number => told.filter((one) => 'facet' in one && one.facet === facet).length;
    const before = [changed(Facet.FACET_PARAMETERS), changed(Facet.FACET_CONFIG)];
    files.nodes.set('/sys/module/dummy/parameters/numdummies', '3\n');
    files.nodes.set('/etc/modules-load.d/modfleet-dummy.conf', 'dummy\n');
    inventory.lookAfter({ parametersOf: ['dummy'], lists: false });
    await until(() => changed(Facet.FACET_PARAMETERS) > (before[0] ?? 0));
    expect(changed(Facet.FACET_CONFIG)).toBe(before[1]);
    inventory.lookAfter({ parametersOf: [], lists: true });
    await until(() => changed(Facet.FACET_CONFIG) > (before[1] ?? 0));
  });

  it('answers now: presence, count, holders, blocks', async () => {
    await inventory.start(NEVER);
    files.nodes.set('/proc/modules', 'virtio 1 3 virtio_net,virtio_pci, Live 0x0\n');
    expect(await inventory.answer(['virtio', 'ext4', 'tipc', 'nothing'])).toMatchObject([
      {
        name: 'virtio',
        presence: KmodPresence.KMOD_PRESENCE_LOADED,
        refcount: 3,
        holders: ['virtio_net', 'virtio_pci'],
        blocks: [],
      },
      { name: 'ext4', presence: KmodPresence.KMOD_PRESENCE_BUILTIN },
      { name: 'tipc', presence: KmodPresence.KMOD_PRESENCE_ON_DISK, blocks: [{ kmod: 'tipc' }] },
      { name: 'nothing', presence: KmodPresence.KMOD_PRESENCE_ABSENT },
    ]);
  });

  it('does not call a kmod absent where the tree cannot be read', async () => {
    files.nodes.delete(`${FOLDER}/modules.builtin`);
    await inventory.start(NEVER);
    expect(await inventory.answer(['nothing', 'dummy'])).toMatchObject([
      { presence: KmodPresence.KMOD_PRESENCE_UNSPECIFIED },
      { presence: KmodPresence.KMOD_PRESENCE_LOADED },
    ]);
  });

  it('gives no answer, with the reason, where the loaded kmods cannot be read', async () => {
    files.nodes.delete('/proc/modules');
    await inventory.start(NEVER);
    await expect(inventory.answer(['dummy'])).rejects.toThrow('no loadable kmods');
    expect(snapshot(Facet.FACET_PARAMETERS).state).toMatchObject({
      reason: expect.stringContaining('no loadable kmods'),
    });
  });
});
