import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadedNow, takeVerdicts } from '../../../lab/src/oracle/guest.ts';
import { keptSuite, lostSuite } from '../support/confirm-suite.ts';
import { fullHostSuite } from '../support/full-host-suite.ts';
import { ueventsSuite } from '../support/uevents-suite.ts';
import { PRIVILEGE_POLICY, privilegeSuite } from '../support/privilege-suite.ts';
import { type ProxiedFleet, proxiedFleet } from '../support/proxied-fleet.ts';

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

/** Both kernel series, every way to run a network. */
const BONDED = 'full-vlan-bond';
const NETWORKD = 'full-networkd';
/** Here for its network alone. */
const IFUPDOWN = 'full-ifupdown';
let fleet: ProxiedFleet;
const lab = () => fleet.lab;

beforeAll(async () => {
  fleet = await proxiedFleet([
    {
      name: BONDED,
      kind: 'full',
      series: '6.1',
      config: PRIVILEGE_POLICY,
      boot: { network: 'vlan-bond', rootDisk: 'dm-linear' },
    },
    { name: NETWORKD, kind: 'full', series: '6.12', boot: { network: 'networkd' } },
    { name: IFUPDOWN, kind: 'full', series: '6.1', boot: { network: 'ifupdown' } },
  ]);
});

afterAll(async () => {
  await fleet?.stop();
});

describe('a full host of 6.1, root on device-mapper, VLAN over a bond', () => {
  fullHostSuite(lab, BONDED);

  it('protects exactly what its root and its way to the server stand on', async () => {
    const host = lab().host(BONDED);
    const said = await takeVerdicts(host, 'unload', [...(await loadedNow(host)).keys()]);
    const safe = said.filter(({ findings }) => findings.some(({ code }) => code === 'protected'));
    expect(safe.map(({ kmod }) => kmod).sort()).toEqual([...STORAGE, ...ROUTE].sort());
  });

  privilegeSuite(lab, BONDED);
});

describe('a full host of 6.12 with systemd-networkd', () => {
  fullHostSuite(lab, NETWORKD);
  ueventsSuite(lab, NETWORKD);

  it('comes back after a reboot', async () => {
    const host = lab().host(NETWORKD);
    const { bootId } = host;
    await host.reboot();
    expect(host.bootId).not.toBe(bootId);
    await lab().connected(NETWORKD);
    await lab().fresh(NETWORKD);
  });
});

describe('a confirm window', () => {
  keptSuite(() => fleet, NETWORKD);
  lostSuite(() => fleet, [BONDED, NETWORKD, IFUPDOWN]);
});
