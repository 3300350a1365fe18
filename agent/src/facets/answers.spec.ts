import { KmodPresence } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { answerNow } from './answers.ts';

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

async function presences(onDisk: readonly string[] | undefined) {
  const files = new Map(onDisk?.map((name) => [name, `kernel/${name}.ko`]));
  const names =
    onDisk === undefined
      ? undefined
      : { release: '6.1.0', folder: '/lib/modules/6.1.0', builtin: new Set<string>(), onDisk: files };
  const answers = await answerNow(new MemoryHostFiles(BOUND), names, ['virtio-pci', 'tipc', 'dummy']);
  return answers.map((answer) => answer.presence);
}

describe('answerNow', () => {
  const { KMOD_PRESENCE_BUILTIN: builtin, KMOD_PRESENCE_LOADED: loaded } = KmodPresence;

  it('calls a driver that runs without a kmod built in, whether or not there is a tree', async () => {
    expect(await presences([])).toEqual([builtin, KmodPresence.KMOD_PRESENCE_ABSENT, loaded]);
    expect(await presences(undefined)).toEqual([builtin, KmodPresence.KMOD_PRESENCE_UNSPECIFIED, loaded]);
  });

  it('believes the tree where it has a file of that name', async () => {
    expect(await presences(['virtio_pci', 'tipc'])).toEqual([
      KmodPresence.KMOD_PRESENCE_ON_DISK,
      KmodPresence.KMOD_PRESENCE_ON_DISK,
      loaded,
    ]);
  });
});
