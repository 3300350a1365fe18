import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { observeDevices } from './devices.ts';

/** A PCI function with a virtio device behind it, which carries a network interface. */
const VIRTIO: Record<string, MemoryNode> = {
  '/sys/bus/pci/devices/0000:00:04.0': { link: '../../../devices/pci0000:00/0000:00:04.0' },
  '/sys/bus/virtio/devices/virtio1': { link: '../../../devices/pci0000:00/0000:00:04.0/virtio1' },
  '/sys/devices/pci0000:00/0000:00:04.0/modalias': 'pci:v00001AF4d00001000\n',
  '/sys/devices/pci0000:00/0000:00:04.0/driver': { link: '../../../bus/pci/drivers/virtio-pci' },
  '/sys/devices/pci0000:00/0000:00:04.0/virtio1/modalias': 'virtio:d00000001v00001AF4\n',
  '/sys/devices/pci0000:00/0000:00:04.0/virtio1/driver': { link: '../../../../bus/virtio/drivers/virtio_net' },
  '/sys/devices/pci0000:00/0000:00:04.0/virtio1/net/eth0/mtu': '1500\n',
  '/sys/bus/pci/drivers/virtio-pci/module': { link: '../../../../module/virtio_pci' },
  '/sys/bus/virtio/drivers/virtio_net/module': { link: '../../../../module/virtio_net' },
  '/sys/module/virtio_pci/initstate': 'live\n',
  '/sys/module/virtio_net/initstate': 'live\n',
  '/sys/class/net/eth0': { link: '../../devices/pci0000:00/0000:00:04.0/virtio1/net/eth0' },
  '/sys/class/net/lo': { link: '../../devices/virtual/net/lo' },
};

async function devices(nodes: Record<string, MemoryNode>) {
  const observation = await observeDevices(new MemoryHostFiles(nodes));
  if (observation.kind !== 'value') throw new Error(observation.reason);
  return observation.value.devices;
}

describe('observeDevices', () => {
  it('names driver, kmod and what stands on the device, on every level', async () => {
    expect(await devices(VIRTIO)).toEqual([
      {
        bus: 'pci',
        address: '0000:00:04.0',
        modalias: 'pci:v00001AF4d00001000',
        driver: 'virtio-pci',
        kmod: 'virtio_pci',
        builtin: false,
        names: ['eth0'],
      },
      {
        bus: 'virtio',
        address: 'virtio1',
        modalias: 'virtio:d00000001v00001AF4',
        driver: 'virtio_net',
        kmod: 'virtio_net',
        builtin: false,
        names: ['eth0'],
      },
    ]);
  });

  it('calls a driver built in without a module link, and with one to code that is no loaded kmod', async () => {
    const nodes = new Map(Object.entries(VIRTIO));
    nodes.delete('/sys/bus/pci/drivers/virtio-pci/module');
    nodes.set('/sys/bus/pci/drivers/virtio-pci/uevent', '');
    nodes.delete('/sys/module/virtio_net/initstate');
    nodes.set('/sys/module/virtio_net/parameters/napi_tx', 'Y\n');
    expect((await devices(Object.fromEntries(nodes))).map(({ kmod, builtin }) => [kmod, builtin])).toEqual([
      ['', true],
      ['', true],
    ]);
  });

  it('keeps a device without a driver, and drops one without driver and modalias', async () => {
    const nodes = {
      '/sys/bus/pci/devices/a': { link: '../../../devices/a' },
      '/sys/devices/a/modalias': 'pci:a\n',
      '/sys/bus/pci/devices/b': { link: '../../../devices/b' },
      '/sys/devices/b/power': 'on\n',
    };
    expect(await devices(nodes)).toMatchObject([{ address: 'a', driver: '', kmod: '', builtin: false }]);
  });

  it('leaves out processors and memory, and never reads the locked attribute uevent', async () => {
    const files = new MemoryHostFiles({
      ...VIRTIO,
      '/sys/bus/cpu/devices/cpu0': { link: '../../../devices/system/cpu/cpu0' },
      '/sys/devices/system/cpu/cpu0/modalias': 'cpu:x\n',
    });
    const observation = await observeDevices(files);
    expect(observation.kind === 'value' && observation.value.devices.map(({ bus }) => bus)).toEqual(['pci', 'virtio']);
    expect(files.reads.filter((path) => path.endsWith('uevent'))).toEqual([]);
  });

  it.each([
    [{}, '/sys/bus does not exist'],
    [{ '/sys/bus': { errno: 'EACCES' } }, '/sys/bus may not be read'],
    [{ '/sys/bus/pci/devices': { errno: 'EIO' } }, '/sys/bus/pci/devices cannot be read (EIO)'],
  ])('is incapable, with the reason, for %j', async (nodes, reason) => {
    expect(await observeDevices(new MemoryHostFiles(nodes))).toMatchObject({
      kind: 'incapable',
      reason: expect.stringContaining(reason),
    });
  });
});
