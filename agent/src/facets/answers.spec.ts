import { KmodPresence } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { answerNow, type TreeNames } from './answers.ts';

const DEVICE = '/sys/devices/pci0000:00/0000:00:02.0';

/** A PCI device whose driver `virtio-pci` has no kmod. */
const BOUND: Record<string, MemoryNode> = {
  '/proc/modules': 'dummy 1 0 - Live 0x0\n',
  '/proc/cmdline': 'quiet\n',
  '/sys/bus/pci/devices/0000:00:02.0': { link: DEVICE },
  [`${DEVICE}/modalias`]: 'pci:v00001AF4\n',
  [`${DEVICE}/driver`]: { link: '/sys/bus/pci/drivers/virtio-pci' },
  '/sys/bus/pci/drivers/virtio-pci/bind': '',
};

async function answers(onDisk: readonly string[] | undefined) {
  const files = new Map(onDisk?.map((name) => [name, `kernel/${name}.ko`]));
  const names = { release: '6.1.0', folder: '/lib/modules/6.1.0', builtin: new Set<string>(), onDisk: files };
  const tree: TreeNames =
    onDisk === undefined
      ? { kind: 'incapable', reason: '/lib/modules/6.1.0 does not exist' }
      : { kind: 'value', names };
  return answerNow(new MemoryHostFiles(BOUND), tree, ['virtio-pci', 'tipc', 'dummy']);
}

async function presences(onDisk: readonly string[] | undefined) {
  return (await answers(onDisk)).map((answer) => answer.presence);
}

describe('answerNow', () => {
  const { KMOD_PRESENCE_BUILTIN: builtin, KMOD_PRESENCE_LOADED: loaded } = KmodPresence;

  it('calls a driver that runs without a kmod built in, whether or not there is a tree', async () => {
    expect(await presences([])).toEqual([builtin, KmodPresence.KMOD_PRESENCE_ABSENT, loaded]);
    expect(await presences(undefined)).toEqual([builtin, KmodPresence.KMOD_PRESENCE_UNSPECIFIED, loaded]);
  });

  it('says why it cannot say, and only then', async () => {
    const unknown = 'not loaded; whether it is built in or on disk is not known: /lib/modules/6.1.0 does not exist';
    expect((await answers(undefined)).map(({ reason }) => reason)).toEqual(['', unknown, '']);
    expect((await answers([])).map(({ reason }) => reason)).toEqual(['', '', '']);
  });

  it('believes the tree where it has a file of that name', async () => {
    expect(await presences(['virtio_pci', 'tipc'])).toEqual([
      KmodPresence.KMOD_PRESENCE_ON_DISK,
      KmodPresence.KMOD_PRESENCE_ON_DISK,
      loaded,
    ]);
  });
});
