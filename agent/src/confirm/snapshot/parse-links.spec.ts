import { describe, expect, it } from 'vitest';
import { fieldsOf, parseList } from '../../exec/ip-json.ts';
import { fromMac, parseAddresses } from './parse-addresses.ts';
import { parseLinks } from './parse-links.ts';

/** As iproute2 6.1 has it, shortened. */
const ADDR = `[{"ifname":"lo","flags":["UP"]},
{"ifindex":2,"ifname":"ens3","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"group":"default","txqlen":1000,"address":"52:54:00:12:34:56","addr_info":[
 {"family":"inet","local":"10.0.2.15","prefixlen":24,"metric":1024,"broadcast":"10.0.2.255","scope":"global","dynamic":true,"label":"ens3","valid_life_time":86000,"preferred_life_time":86000},
 {"family":"inet","local":"192.0.2.7","prefixlen":24,"scope":"global","label":"ens3","valid_life_time":4294967295,"preferred_life_time":4294967295},
 {"family":"inet6","local":"fe80::5054:ff:fe12:3456","prefixlen":64,"scope":"link"},
 {"family":"inet6","local":"fe80::77","prefixlen":64,"scope":"link"}]},
{"ifname":"bond0.9","link":"bond0","flags":["UP"],"mtu":1500,"address":"52:54:00:12:34:56","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":9,"flags":["REORDER_HDR"]}},"addr_info":[]},
{"ifname":"bond0","flags":["UP"],"mtu":1500,"address":"52:54:00:12:34:56","linkinfo":{"info_kind":"bond","info_data":{"mode":"active-backup","active_slave":"ens4","miimon":100,"ad_lacp_rate":"slow"}},"addr_info":[]}]`;

/** What a bond shows whatever its mode (iproute2 6.1, kernel 6.1). */
const BOND = JSON.parse(
  '{"miimon":0,"updelay":0,"downdelay":0,"peer_notify_delay":0,"use_carrier":1,"arp_interval":0,"arp_missed_max":2,"arp_validate":null,"arp_all_targets":"any","primary_reselect":"always","fail_over_mac":"none","xmit_hash_policy":"layer2","resend_igmp":1,"num_peer_notif":1,"all_slaves_active":0,"min_links":0,"lp_interval":1,"packets_per_slave":1,"ad_lacp_active":"on","ad_lacp_rate":"slow","ad_select":"stable","tlb_dynamic_lb":1}',
) as object;

function made(kind: string, data: object): string | undefined {
  const linkinfo = { info_kind: kind, info_data: data };
  return parseLinks([{ ifname: 'x0', linkinfo }])[0]?.options.join(' ');
}

describe('reading links of ip -j', () => {
  const list = parseList(ADDR) ?? [];

  it('knows what is no JSON', () => {
    expect(parseList('1: lo: <LOOPBACK>')).toBeUndefined();
    expect(fieldsOf([1])).toEqual({});
  });

  it('reads links with what makes them again, without loopback', () => {
    const links = parseLinks(list);
    expect(links.map((one) => [one.name, one.kind, one.parent])).toEqual([
      ['ens3', '', ''],
      ['bond0.9', 'vlan', 'bond0'],
      ['bond0', 'bond', ''],
    ]);
    expect(links[0]?.attributes.slice(0, 2)).toEqual([
      ['txqueuelen', '1000'],
      ['group', 'default'],
    ]);
    expect(links[1]?.options).toEqual(['protocol', '802.1Q', 'id', '9']);
    expect(links[2]?.options).toEqual(['mode', 'active-backup', 'miimon', '100']);
    expect(links[2]?.later).toEqual([['active_slave', 'ens4']]);
  });

  it.each([
    ['usual values are not given: kernels refuse some whatever the value', { mode: 'balance-rr' }, 'mode balance-rr'],
    [
      'options of another mode are not given',
      { mode: 'active-backup', miimon: 100, ad_lacp_rate: 'fast', packets_per_slave: 4, tlb_dynamic_lb: 0 },
      'mode active-backup miimon 100',
    ],
    [
      '802.3ad',
      { mode: '802.3ad', miimon: 100, ad_lacp_rate: 'fast', ad_actor_sys_prio: 65535, ad_info: { aggregator: 1 } },
      'mode 802.3ad miimon 100 lacp_rate fast',
    ],
    ['a mode that has miimon without being asked', { mode: '802.3ad', miimon: 0 }, 'mode 802.3ad miimon 0'],
    [
      'ARP monitoring',
      { mode: 'active-backup', arp_interval: 1000, arp_ip_target: ['192.0.2.1', '192.0.2.9'], arp_validate: 'all' },
      'mode active-backup arp_interval 1000 arp_validate all arp_ip_target 192.0.2.1,192.0.2.9',
    ],
    [
      'another word than it is shown under',
      { mode: 'balance-rr', num_peer_notif: 3 },
      'mode balance-rr num_grat_arp 3',
    ],
  ])('a bond: %s', (_name, data, words) => {
    const { mode, ...rest } = data as { mode: string };
    expect(made('bond', { mode, ...BOND, ...rest })).toBe(words);
  });

  it.each([
    [
      'vlan',
      {
        protocol: '802.1ad',
        id: 9,
        flags: ['LOOSE_BINDING'],
        ingress_qos: [{ from: 2, to: 3 }],
        egress_qos: [
          { from: 0, to: 5 },
          { from: 1, to: 6 },
        ],
      },
      'protocol 802.1ad id 9 reorder_hdr off loose_binding on ingress-qos-map 2:3 egress-qos-map 0:5 1:6',
    ],
    [
      'bridge',
      { ageing_time: 6000, stp_state: 0, mcast_querier_intvl: 9, root_port: 3 },
      'ageing_time 6000 mcast_querier_interval 9',
    ],
    ['macvlan', { mode: 'private', bcqueuelen: 1000, usedbcqueuelen: 1000, nodst: true }, 'mode private nodst'],
    ['ipvlan', { mode: 'l2', private: true }, 'mode l2 private'],
    ['vrf', { table: 10 }, 'table 10'],
    ['vxlan', { id: 9, remote: '192.0.2.1' }, ''],
  ])('%s', (kind, data, words) => {
    expect(made(kind, data)).toBe(words);
  });

  it('keeps what it has no word for, to compare it', () => {
    const [link] = parseLinks([
      { ifname: 'x', linkinfo: { info_kind: 'vlan', info_data: { id: 9, newer: { a: 1 } } } },
    ]);
    expect(link?.traits).toContainEqual(['newer', '{"a":1}']);
    expect(link?.options).toEqual(['id', '9']);
  });
});

describe('reading addresses of ip -j', () => {
  const list = parseList(ADDR) ?? [];

  it('leaves out those that the kernel makes, and keeps a link-local one that was set by hand', () => {
    expect(parseAddresses(list).map((one) => [one.address, one.dynamic])).toEqual([
      ['10.0.2.15/24', true],
      ['192.0.2.7/24', false],
      ['fe80::77/64', false],
    ]);
    expect(parseAddresses(list)[0]?.lifetimes).toEqual(['valid_lft', '86000', 'preferred_lft', '86000']);
    expect(parseAddresses(list)[1]?.options).toEqual(['label', 'ens3', 'scope', 'global']);
  });

  it.each([
    ['52:54:00:12:34:56', 'fe80::5054:ff:fe12:3456'],
    ['02:00:00:00:00:01', 'fe80::ff:fe00:1'],
    ['00:00:00:00:00:00', undefined],
    ['0.0.0.0', undefined],
  ])('the link-local address of %s is %s', (mac, address) => {
    expect(fromMac(mac)).toBe(address);
  });

  it.each([
    ['said to be the kernel’s', { protocol: 'kernel_ll' }, 0],
    ['of stable privacy', { 'stable-privacy': true }, 0],
    ['said to be another’s', { protocol: 'unspec' }, 1],
  ])('a link-local address %s', (_name, more, count) => {
    const info = { family: 'inet6', local: 'fe80::1:2', prefixlen: 64, scope: 'link', ...more };
    expect(parseAddresses([{ ifname: 'a', address: '52:54:00:12:34:56', addr_info: [info] }])).toHaveLength(count);
  });

  it('keeps flags, a life that has ended for new connections, and what it has no word for', () => {
    const info = {
      family: 'inet6',
      local: '2001:db8::1',
      prefixlen: 64,
      scope: 'global',
      noprefixroute: true,
      newer: 1,
      valid_life_time: 4294967295,
      preferred_life_time: 0,
    };
    expect(parseAddresses([{ ifname: 'a', addr_info: [info] }])).toEqual([
      expect.objectContaining({
        options: ['scope', 'global', 'noprefixroute'],
        lifetimes: ['valid_lft', 'forever', 'preferred_lft', '0'],
        strange: ['newer=1'],
      }),
    ]);
  });
});
