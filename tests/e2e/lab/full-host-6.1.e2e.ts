import { expect, it } from 'vitest';
import { loadedNow, takeVerdicts } from '../../../lab/src/oracle/guest.ts';
import { fullHostSuite } from '../support/full-host-suite.ts';
import { PRIVILEGE_POLICY, privilegeSuite } from '../support/privilege-suite.ts';

/** What a root on device-mapper stands on, and a way to the server over a VLAN over a bond. */
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

fullHostSuite('6.1', {
  wanted: { config: PRIVILEGE_POLICY, boot: { network: 'vlan-bond', rootDisk: 'dm-linear' } },
  tests: (lab, name) => {
    it('protects exactly what its root and its way to the server stand on', async () => {
      const host = lab().host(name);
      const said = await takeVerdicts(host, 'unload', [...(await loadedNow(host)).keys()]);
      const safe = said.filter(({ findings }) => findings.some(({ code }) => code === 'protected'));
      expect(safe.map(({ kmod }) => kmod).sort()).toEqual([...STORAGE, ...ROUTE].sort());
    });

    privilegeSuite(lab, name);
  },
});
