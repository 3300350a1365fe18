import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LabHost } from '../../../lab/src/lab.ts';
import { loadedNow, takeVerdicts } from '../../../lab/src/oracle/guest.ts';
import { bootForOracle } from '../../../lab/src/oracle/unload-oracle.ts';

/** The exact set that a real host protects with its root on device-mapper and its route on a VLAN over a bond. */
let host: LabHost;

const STORAGE = [
  'dm_mod',
  'virtio',
  'virtio_blk',
  'virtio_pci',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_ring',
];

const ROUTE = ['8021q', 'bonding', 'failover', 'garp', 'llc', 'mrp', 'net_failover', 'stp', 'tls', 'virtio_net'];

beforeAll(async () => {
  const kind = { label: '', kind: 'full', series: '6.1', network: 'vlan-bond', rootDisk: 'dm-linear' } as const;
  host = await bootForOracle(kind, 'topology-61', () => undefined);
}, 600_000);

afterAll(async () => {
  await host?.kill();
}, 60_000);

it('protects exactly what its root and its way to the server stand on', async () => {
  const loaded = [...(await loadedNow(host)).keys()];
  const said = await takeVerdicts(host, 'unload', loaded);
  const safe = said.filter(({ findings }) => findings.some(({ code }) => code === 'protected')).map(({ kmod }) => kmod);
  expect(safe.sort()).toEqual([...STORAGE, ...ROUTE].sort());
}, 300_000);
