import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LabHost } from '../../../lab/src/lab.ts';
import { evidenceOf, tryRows } from '../../../lab/src/oracle/evidence-oracle.ts';
import { loadedNow, takeVerdicts } from '../../../lab/src/oracle/guest.ts';
import type { VerdictSeen } from '../../../lab/src/oracle/predict.ts';
import { bootForOracle } from '../../../lab/src/oracle/unload-oracle.ts';

/**
 * What a host says of an unload, held against a real kernel: the exact set that it protects with its root on device-mapper and its route on a VLAN over a
 * bond; who it names for each kind of use; and whether `rmmod` then does what it said. `npm run lab -- oracle` does this for hundreds of kmods.
 */
const SERIES = '6.1';
let host: LabHost;
let verdicts: readonly VerdictSeen[];

beforeAll(async () => {
  const kind = { label: '', kind: 'full', series: SERIES, network: 'vlan-bond', rootDisk: 'dm-linear' } as const;
  host = await bootForOracle(kind, 'verdicts-61', () => undefined);
}, 600_000);

afterAll(async () => {
  await host?.kill();
}, 60_000);

it('protects exactly what its root and its way to the server stand on', async () => {
  const loaded = [...(await loadedNow(host)).keys()];
  const said = await takeVerdicts(host, 'unload', loaded);
  const safe = said.filter(({ findings }) => findings.some(({ code }) => code === 'protected')).map(({ kmod }) => kmod);
  const storage = [
    'dm_mod',
    'virtio',
    'virtio_blk',
    'virtio_pci',
    'virtio_pci_legacy_dev',
    'virtio_pci_modern_dev',
    'virtio_ring',
  ];
  const route = ['8021q', 'bonding', 'failover', 'garp', 'llc', 'mrp', 'net_failover', 'stp', 'tls', 'virtio_net'];
  expect(safe.sort()).toEqual([...storage, ...route].sort());
}, 300_000);

it('names who holds a kmod, or would lose it, for every kind of use', async () => {
  const found = await evidenceOf(host);
  ({ verdicts } = found);
  const wrong = found.rows
    .filter((one) => one.wrong !== undefined)
    .map(({ row, wrong: why }) => `${row.kmod}, ${row.use}: ${why}`);
  expect(wrong).toEqual([]);
  expect(found.rows.length).toBeGreaterThan(30);
}, 600_000);

it('is right about what the kernel does', async () => {
  const judged = await tryRows(host, verdicts);
  expect(judged.filter((one) => !one.agrees)).toEqual([]);
  expect(judged.length).toBeGreaterThan(30);
}, 600_000);
