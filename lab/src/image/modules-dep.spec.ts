import { describe, expect, it } from 'vitest';
import { loadOrder } from './modules-dep.ts';

const MODULES_DEP = `kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_pci_modern_dev.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_pci_modern_dev.ko:
kernel/drivers/block/virtio_blk.ko.xz: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/net/some-thing.ko.zst:
`;

const names = (paths: string[]): string[] => paths.map((path) => path.split('/').at(-1) ?? '');

describe('loadOrder', () => {
  it('puts every dependency before what needs it, each once', () => {
    expect(names(loadOrder(MODULES_DEP, ['virtio_pci', 'virtio_blk']))).toEqual([
      'virtio_ring.ko',
      'virtio.ko',
      'virtio_pci_modern_dev.ko',
      'virtio_pci.ko',
      'virtio_blk.ko.xz',
    ]);
  });

  it('leaves out what is built in', () => {
    expect(loadOrder(MODULES_DEP, ['ext4'])).toEqual([]);
  });

  it('knows a hyphen in a file name as the underscore of the kmod name', () => {
    expect(names(loadOrder(MODULES_DEP, ['some_thing']))).toEqual(['some-thing.ko.zst']);
  });
});
