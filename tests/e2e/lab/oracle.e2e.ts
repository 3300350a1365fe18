import { expect, it } from 'vitest';
import { unloadOracle } from '../../../lab/src/oracle/unload-oracle.ts';

/** A few kmods of every kind that the oracle knows; `npm run lab -- oracle` asks about hundreds on every host. */
const FEW = [
  'dummy',
  'mf_hello',
  'mf_base',
  'mf_dependent',
  'mf_permanent',
  'mf_chardev',
  'loop',
  'overlay',
  'tcp_htcp',
  'virtio_net',
  'virtio_blk',
  'virtio_ring',
];

it('says before an unload what the kernel then does', async () => {
  const host = { label: 'e2e 6.1', kind: 'fast', series: '6.1', network: 'networkd', rootDisk: 'plain' } as const;
  const judged = await unloadOracle(host, FEW, 1, () => undefined);
  expect(judged.filter((one) => !one.agrees)).toEqual([]);
  expect(judged.map((one) => one.kmod).sort()).toEqual([...FEW].sort());
});
