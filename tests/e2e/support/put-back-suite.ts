import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { putBack, type PutBackReport } from '../../../agent/src/confirm/snapshot/put-back.ts';
import { readSnapshot } from '../../../agent/src/confirm/snapshot/read-snapshot.ts';
import type { LabHost } from '../../../lab/src/lab.ts';
import { guestDoors } from './guest-doors.ts';
import { eventually } from './wait.ts';

/** What a link, an address or a member has by the time at which it is looked at, and not by how it was made. */
const PASSING: ReadonlySet<string> = new Set(
  [
    'ifindex link_index operstate qdisc valid_life_time preferred_life_time tentative ad_info state',
    'mii_status link_failure_count bridge_id root_id designated_port ad_aggregator_id',
    'ad_actor_oper_port_state ad_actor_oper_port_state_str ad_partner_oper_port_state',
    'ad_partner_oper_port_state_str promiscuity id no',
  ].flatMap((text) => text.split(' ')),
);

/** Duplicate address detection (2 s) and what follows from it. */
const SETTLE_MS = 4_000;

/** Files of the host: networkd leaves these links alone, which else takes their addresses for nobody's. */
export const PUT_BACK_FILES: Readonly<Record<string, string>> = {
  '/etc/systemd/network/00-put-back.network':
    '[Match]\nName=bond0 bond0.9 da db va vb vl9 br0 mv0\n\n[Link]\nUnmanaged=yes\n',
};

interface Round {
  readonly was: string;
  readonly is: string;
  readonly report: PutBackReport;
  readonly refused: readonly string[];
}

/** Flags that say how the line is. */
const LINE_FLAGS: readonly unknown[] = ['NO-CARRIER', 'LOWER_UP', 'M-DOWN'];

/** These links as `ip -d -j` shows them, without what passes. */
function lasting(json: string, names: readonly string[]): string {
  const shown = (JSON.parse(json) as { ifname: string }[])
    .filter((one) => names.includes(one.ifname))
    .sort((a, b) => a.ifname.localeCompare(b.ifname));
  const kept = (key: string, value: unknown): unknown => {
    if (key === 'info_data') return withoutPassing(value);
    if (key === 'flags' && Array.isArray(value)) return value.filter((flag) => !LINE_FLAGS.includes(flag));
    return PASSING.has(key) || key.endsWith('_timer') ? undefined : value;
  };
  return JSON.stringify(shown, kept, 1);
}

/** Who is active in a bond that nobody answers by ARP changes by the second. */
function withoutPassing(data: unknown): unknown {
  const fields = { ...(data as Record<string, unknown>) };
  if (Number(fields['arp_interval'] ?? 0) > 0) delete fields['active_slave'];
  return fields;
}

/** Takes a snapshot, loses something, puts back: what `ip` shows of these links, and of routes and rules, before and after. */
async function round(
  host: LabHost,
  {
    make,
    kmods = [],
    lose,
    links,
  }: { make: string; kmods?: readonly string[]; lose: string; links: readonly string[] },
): Promise<Round> {
  const doors = guestDoors(host);
  const show = async (): Promise<string> => {
    const addresses = await host.must('ip -d -j addr show');
    const lines = 'ip route show table all; ip -6 route show table all; ip rule show; ip -6 rule show';
    const others = (await host.must(lines))
      .split('\n')
      .filter((line) => !/\bdev (enp|ens|eth)|\bproto ra\b/.test(line));
    const words = others.map((line) => line.replace(/ (linkdown|dead|error -?\d+)\b/g, '').trim());
    return [lasting(addresses, links), ...words.sort()].join('\n');
  };
  await host.must(make);
  // What comes by itself is there: duplicate address detection, the active member of a bond.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const before = await readSnapshot(doors.files, doors.exec, kmods);
  const was = await show();
  await host.must(lose);
  const report = await putBack(doors, before, { kmods: kmods.length > 0 ? 'all' : 'none', network: true });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const is = await show();
  return { was, is, report, refused: doors.refused };
}

const BONDS: readonly [name: string, options: string, later?: string][] = [
  [
    'active-backup with a primary',
    'mode active-backup miimon 100 updelay 200',
    'ip link set bond0 type bond primary db',
  ],
  ['active-backup, ARP', 'mode active-backup arp_interval 1000 arp_ip_target 192.0.2.1,192.0.2.9 arp_validate active'],
  ['active-backup, fail_over_mac', 'mode active-backup miimon 100 fail_over_mac active num_grat_arp 3'],
  ['802.3ad, lacp_rate fast', 'mode 802.3ad miimon 100 lacp_rate fast ad_select bandwidth min_links 1'],
  ['balance-xor, layer3+4', 'mode balance-xor miimon 100 xmit_hash_policy layer3+4'],
  ['balance-rr', 'mode balance-rr miimon 50 packets_per_slave 4 resend_igmp 3'],
  ['balance-tlb', 'mode balance-tlb tlb_dynamic_lb 0 lp_interval 5'],
  ['balance-alb', 'mode balance-alb miimon 100'],
];

/** All cases on all kernels: `MODFLEET_LAB_WHOLE=1 npm test -- lab`. Else every second one on the newest, as each takes a quarter of a minute. */
export const IS_WHOLE = process.env['MODFLEET_LAB_WHOLE'] === '1';

/** A full host without an agent. */
export function putBackSuite(booted: () => LabHost): void {
  const isTaken = (index: number): boolean => IS_WHOLE || index % 2 === 0;
  let host: LabHost;

  beforeAll(async () => {
    host = booted();
    await host.must('modprobe 8021q; modprobe dummy numdummies=0; modprobe veth');
  });

  afterEach(async () => {
    await host.run('for d in bond0.9 bond0 vl9 br0 mv0 va da db dc; do ip link del dev $d; done');
    await host.run(
      'for p in 100 101 102 103 104 105 106 107; do ip rule del priority $p; ip -6 rule del priority $p; done',
    );
  });

  // udev sees new links too, and gives them a MAC address that lasts.
  const bondOf = (options: string, later = 'true'): string =>
    [
      'modprobe bonding max_bonds=0 && modprobe 8021q && ip link add da type dummy && ip link add db type dummy',
      `ip link add bond0 type bond ${options} && udevadm settle`,
      'ip link set da down && ip link set db down && ip link set da master bond0 && ip link set db master bond0',
      later,
      'ip link set bond0 up && ip link add link bond0 name bond0.9 type vlan id 9 && udevadm settle',
      'ip link set bond0.9 up mtu 1400',
      'ip addr add 192.0.2.2/24 dev bond0.9 && ip route add 203.0.113.0/24 via 192.0.2.1',
    ].join(' && ');
  const bonds = ['bond0', 'bond0.9', 'da', 'db'];

  describe('a VLAN over a bond comes back as it was', () => {
    it.each(BONDS.filter((_, index) => isTaken(index)))('%s', async (_name, options, later) => {
      const { was, is, report, refused } = await round(host, {
        make: bondOf(options, later),
        kmods: ['bonding', '8021q'],
        lose: 'rmmod 8021q; rmmod bonding',
        links: bonds,
      });
      expect(is, refused.join('\n')).toBe(was);
      expect(report.missing).toEqual([]);
    });

    // max_bonds is a parameter that sysfs does not show: nobody can give it again.
    it('where loading bonding makes a bond0 of its own', async () => {
      const file = '/usr/lib/modprobe.d/systemd.conf';
      const make = bondOf('mode active-backup miimon 100');
      await host.must(`mv ${file} /root/systemd.conf`);
      try {
        const { was, is, report, refused } = await round(host, {
          make,
          kmods: ['bonding'],
          lose: 'rmmod bonding',
          links: bonds,
        });
        expect(is, refused.join('\n')).toBe(was);
        expect(report.missing).toEqual([]);
        expect(report.restored).toContain('interface bond0 (bond), which is another one now');
      } finally {
        await host.must(`mv /root/systemd.conf ${file}`);
      }
    });
  });

  const losses = [
    [
      'a VLAN with flags, maps and a MAC address of its own',
      'ip link add da type dummy; udevadm settle; ip link set da up; ip link add link da name vl9 type vlan id 9 reorder_hdr off loose_binding on egress-qos-map 0:5 1:6 ingress-qos-map 2:3; ip link set vl9 address 02:00:00:00:00:99 up; ip addr add 192.0.2.9/24 dev vl9',
      'ip link del vl9',
      ['vl9'],
    ],
    [
      'a bridge and its ports',
      'modprobe bridge; ip link add da type dummy; udevadm settle; ip link add br0 type bridge vlan_filtering 1 ageing_time 6000 stp_state 1 priority 4096 mcast_snooping 0; ip link set da master br0; ip link set da type bridge_slave hairpin on cost 7; ip link set da up; ip link set br0 up alias uplink txqueuelen 500; ip addr add 192.0.2.9/24 dev br0',
      'ip link del br0',
      ['br0', 'da'],
    ],
    [
      'a macvlan',
      'modprobe macvlan; ip link add da type dummy; udevadm settle; ip link set da up; ip link add link da name mv0 type macvlan mode private bcqueuelen 2000; udevadm settle; ip link set mv0 up; ip addr add 192.0.2.9/24 dev mv0',
      'ip link del mv0',
      ['mv0'],
    ],
    [
      'rules',
      'ip rule add priority 100 not from 10.9.0.0/16 table 100; ip rule add priority 101 table main suppress_prefixlength 0; ip rule add priority 102 uidrange 1000-2000 table 77; ip rule add priority 103 to 10.8.0.0/16 tos 0x10 iif lo oif enp0s3 table 78; ip rule add priority 104 from 10.8.0.0/16 unreachable; ip rule add priority 105 fwmark 0x10/0xf0 table 79; ip rule add priority 106 from 10.7.0.1 goto 32766; ip rule add priority 107 nop; ip -6 rule add priority 100 not fwmark 0xca6c table 51820',
      'for p in 100 101 102 103 104 105 106 107; do ip rule del priority $p; done; ip -6 rule del priority 100',
      [],
    ],
    [
      'routes',
      'ip link add da type dummy; udevadm settle; ip link set da up; ip addr add 198.51.100.1/24 dev da; ip route add 203.0.113.0/24 via 198.51.100.9 dev da mtu lock 1400 advmss 1200 rto_min 5ms; ip route add 203.0.114.0/24 via 198.51.100.9 dev da initcwnd 40 congctl cubic; ip route add 203.0.115.0/24 via 198.51.100.8 dev da; ip route add tos 0x10 203.0.115.0/24 via 198.51.100.7 dev da; ip route add 203.0.116.0/24 via 198.51.100.8; ip route append 203.0.116.0/24 via 198.51.100.9; ip route add 203.0.117.0/24 nexthop via 198.51.100.8 weight 2 nexthop via 198.51.100.9 weight 3; ip route add 203.0.118.0/24 via 10.99.0.1 dev da onlink; ip route add blackhole 203.0.119.0/24 table 77',
      'ip link set da down; ip route del blackhole 203.0.119.0/24 table 77; ip link set da up',
      ['da'],
    ],
    [
      'IPv6: a link-local address set by hand, routes with a source and a preference',
      'ip link add va type veth peer name vb; udevadm settle; ip link set vb up; ip link set va up; ip addr add 2001:db8:1::2/64 dev va; ip addr add 2001:db8:1::3/64 dev va; ip addr add fe80::77/64 dev va; sleep 4; ip -6 route add 2001:db8:9::/64 via 2001:db8:1::1 dev va src 2001:db8:1::3; ip -6 route add default via 2001:db8:1::1 dev va src 2001:db8:1::2 metric 2048 pref high',
      'ip link set va down; ip link set va up',
      ['va'],
    ],
  ] as const;

  it.each(losses.filter((_, index) => isTaken(index)))('%s: back as before', async (_name, make, lose, links) => {
    const { was, is, report, refused } = await round(host, { make: make.replaceAll('; ', ' && '), lose, links });
    expect(is, refused.join('\n')).toBe(was);
    expect(report.missing).toEqual([]);
  });

  it('a route through a nexthop object is reported, and not made again as another', async () => {
    const { report } = await round(host, {
      make: 'ip link add da type dummy && udevadm settle && ip link set da up && ip addr add 198.51.100.1/24 dev da && ip nexthop add id 5 via 198.51.100.9 dev da && ip route add 203.0.113.0/24 nhid 5',
      lose: 'ip link set da down; ip link set da up',
      links: ['da'],
    });
    expect(report.missing).toEqual([expect.stringMatching(/^route 203\.0\.113\.0\/24 .*\(nhid=5: not made again\)$/)]);
  });

  it('a parameter that a reload changed is put back with the others', async () => {
    const { report } = await round(host, {
      make: 'modprobe mf_hello times=3 whom=somebody numbers=1,2',
      kmods: ['mf_hello'],
      lose: 'rmmod mf_hello && modprobe mf_hello times=5 whom=somebody numbers=1,2',
      links: [],
    });
    expect(report).toEqual({ restored: ['parameter mf_hello.times: was 3'], missing: [] });
    const values = await host.must('cd /sys/module/mf_hello/parameters && cat times whom numbers; rmmod mf_hello');
    expect(values.split('\n')).toEqual(['3', 'somebody', '1,2']);
  });

  // The last one: nothing but a reboot ends it.
  it.each(IS_WHOLE ? ['mf_stuck_exit'] : [])(
    '%s, whose exit routine does not return, is reported, not called loaded',
    async () => {
      const { report } = await round(host, {
        make: 'modprobe mf_stuck_exit',
        kmods: ['mf_stuck_exit'],
        lose: 'rmmod mf_stuck_exit > /dev/null 2>&1 & sleep 2',
        links: [],
      });
      expect(report).toEqual({ restored: [], missing: ['kmod mf_stuck_exit is still unloading'] });
    },
  );
}

/** A full host with `ipv6.disable=1`. */
export function withoutIpv6Suite(booted: () => LabHost): void {
  it('a snapshot can be taken where the kernel has no IPv6', async () => {
    const host = booted();
    await eventually('its card has an address', async () => {
      return (await host.run('ip route show default')).stdout.includes('default') || undefined;
    });
    const { files, exec } = guestDoors(host);
    const { links, routes } = await readSnapshot(files, exec, []);
    expect(links.length).toBeGreaterThan(0);
    expect(routes.map((one) => one.words[0])).toContain('default');
  });
}
