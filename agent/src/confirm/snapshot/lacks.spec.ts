import { describe, expect, it } from 'vitest';
import type { HostSnapshot, LinkState } from './host-snapshot.ts';
import { lacksOf, lackWords } from './lacks.ts';
import { fieldsOf, parseList } from './ip-json.ts';
import { parseAddresses, parseLinks } from './parse-links.ts';
import { parseRoutes, parseRules } from './parse-routes.ts';
import { repairsOf } from './repairs.ts';

const link = (name: string, more: Partial<LinkState> = {}): LinkState => ({
  name,
  kind: '',
  up: true,
  mtu: 1500,
  mac: '52:54:00:00:00:01',
  permanentMac: '',
  master: '',
  parent: '',
  options: [],
  ...more,
});

const snapshot = (more: Partial<HostSnapshot> = {}): HostSnapshot => ({
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  settings: [],
  kmods: [],
  ...more,
});

/** As iproute2 6.1 has it, shortened. */
const ADDR = `[{"ifname":"lo","flags":["UP"]},
{"ifname":"ens3","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"address":"52:54:00:12:34:56","addr_info":[
 {"family":"inet","local":"10.0.2.15","prefixlen":24,"metric":1024,"broadcast":"10.0.2.255","scope":"global","dynamic":true,"label":"ens3","valid_life_time":86000,"preferred_life_time":86000},
 {"family":"inet","local":"192.0.2.7","prefixlen":24,"scope":"global","label":"ens3","valid_life_time":4294967295,"preferred_life_time":4294967295},
 {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},
{"ifname":"bond0.9","link":"bond0","flags":["UP"],"mtu":1500,"address":"52:54:00:12:34:56","linkinfo":{"info_kind":"vlan","info_data":{"protocol":"802.1Q","id":9,"flags":["REORDER_HDR"]}},"addr_info":[]},
{"ifname":"bond0","flags":["UP"],"mtu":1500,"address":"52:54:00:12:34:56","linkinfo":{"info_kind":"bond","info_data":{"mode":"active-backup","miimon":100,"ad_lacp_rate":"slow"}},"addr_info":[]}]`;

describe('reading ip -j', () => {
  const list = parseList(ADDR) ?? [];

  it('reads links with what makes them again, without loopback', () => {
    const links = parseLinks(list);
    expect(links.map((one) => [one.name, one.kind, one.parent])).toEqual([
      ['ens3', '', ''],
      ['bond0.9', 'vlan', 'bond0'],
      ['bond0', 'bond', ''],
    ]);
    expect(links[1]?.options).toEqual(['protocol', '802.1Q', 'id', '9']);
    expect(links[2]?.options).toEqual(['mode', 'active-backup', 'miimon', '100', 'lacp_rate', 'slow']);
  });

  it('reads addresses, without those that the kernel makes', () => {
    expect(parseAddresses(list).map((one) => [one.address, one.dynamic])).toEqual([
      ['10.0.2.15/24', true],
      ['192.0.2.7/24', false],
    ]);
    expect(parseAddresses(list)[1]?.options).toEqual(['label', 'ens3', 'scope', 'global']);
  });

  it('reads routes of all tables as words, without the kernel’s own', () => {
    const routes = parseList(
      '[{"dst":"default","gateway":"10.0.2.2","dev":"ens3","protocol":"dhcp","prefsrc":"10.0.2.15","metric":1024,"flags":[]},{"dst":"10.0.2.0/24","dev":"ens3","protocol":"kernel","scope":"link","prefsrc":"10.0.2.15","flags":[]},{"type":"local","dst":"10.0.2.15","table":"local"},{"type":"blackhole","dst":"198.51.100.0/24","table":"100","flags":[]}]',
    );
    expect(parseRoutes('inet', routes ?? []).map((one) => one.words.join(' '))).toEqual([
      'default via 10.0.2.2 dev ens3 proto dhcp src 10.0.2.15 metric 1024',
      '10.0.2.0/24 dev ens3 proto kernel scope link src 10.0.2.15',
      'blackhole 198.51.100.0/24 table 100',
    ]);
  });

  it('reads rules, without the kernel’s three', () => {
    const rules = parseList(
      '[{"priority":0,"src":"all","table":"local"},{"priority":100,"src":"192.0.2.0","srclen":24,"table":"100"}]',
    );
    expect(parseRules('inet', rules ?? []).map((one) => one.words.join(' '))).toEqual([
      'priority 100 from 192.0.2.0/24 table 100',
    ]);
  });

  it('knows what is no JSON', () => {
    expect(parseList('1: lo: <LOOPBACK>')).toBeUndefined();
    expect(fieldsOf([1])).toEqual({});
  });
});

describe('what is missing', () => {
  it('is nothing on a host that is as before', () => {
    const same = snapshot({ links: [link('ens3')] });
    expect(lacksOf(same, same)).toEqual([]);
  });

  it('is put back in an order that works: parents, members, settings, addresses, routes', () => {
    const before = snapshot({
      links: [
        link('bond0.9', { kind: 'vlan', parent: 'bond0' }),
        link('bond0', { kind: 'bond' }),
        link('ens3', { master: 'bond0' }),
      ],
      addresses: [{ link: 'bond0.9', family: 'inet', address: '10.0.2.15/24', dynamic: false, options: [] }],
      routes: [{ family: 'inet', words: ['default', 'via', '10.0.2.2'] }],
      settings: [{ path: '/proc/sys/net/ipv4/conf/bond0.9/rp_filter', value: '2' }],
      kmods: [{ name: 'virtio_net', loaded: true, parameters: [] }],
    });
    const now = snapshot({ links: [link('ens3')], kmods: [{ name: 'virtio_net', loaded: false, parameters: [] }] });
    const words = lacksOf(before, now).map(lackWords);
    expect(words[0]).toBe('kmod virtio_net');
    const at = (text: string): number => words.findIndex((one) => one.startsWith(text));
    expect(at('ens3 in bond0')).toBeLessThan(at('/proc/sys/net'));
    expect(at('interface bond0 (')).toBeLessThan(at('interface bond0.9'));
    expect(at('ens3 in bond0')).toBeLessThan(at('address'));
    expect(at('address')).toBeLessThan(at('route'));
  });

  it('takes another lease for as good, and a hand-set address not', () => {
    const address = { link: 'ens3', family: 'inet' as const, address: '10.0.2.15/24', dynamic: true, options: [] };
    const other = { ...address, address: '10.0.2.16/24' };
    const links = [link('ens3')];
    expect(lacksOf(snapshot({ links, addresses: [address] }), snapshot({ links, addresses: [other] }))).toEqual([]);
    const fixed = { ...address, dynamic: false };
    expect(lacksOf(snapshot({ links, addresses: [fixed] }), snapshot({ links, addresses: [other] }))).toHaveLength(1);
  });

  it('finds a card under another name by its address', () => {
    const lacks = lacksOf(snapshot({ links: [link('ens3')] }), snapshot({ links: [link('eth0')] }));
    expect(lacks.flatMap(repairsOf)[1]).toEqual({ kind: 'ip', args: ['link', 'set', 'dev', 'eth0', 'name', 'ens3'] });
  });

  it('is also a kmod that the plan loaded, and a parameter that is another', () => {
    const before = snapshot({
      kmods: [
        { name: 'a', loaded: false, parameters: [] },
        { name: 'b', loaded: true, parameters: [['x', '1']] },
      ],
    });
    const now = snapshot({
      kmods: [
        { name: 'a', loaded: true, parameters: [] },
        { name: 'b', loaded: true, parameters: [['x', '2']] },
      ],
    });
    expect(lacksOf(before, now).map(lackWords)).toEqual(['kmod a is loaded and was not', 'parameter b.x: was 1, is 2']);
  });
});
