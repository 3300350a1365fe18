import type { AddressState, LinkState } from './host-snapshot.ts';
import { type Fields, fieldsOf, listOf, pair, textOf } from './ip-json.ts';

/** Links of this network namespace but loopback, from `ip -d -j addr show`. Pure. */
export function parseLinks(list: readonly Fields[]): LinkState[] {
  return list
    .filter((one) => textOf(one['ifname']) !== '' && textOf(one['ifname']) !== 'lo')
    .map((one) => {
      const info = fieldsOf(one['linkinfo']);
      const kind = textOf(info['info_kind']);
      return {
        name: textOf(one['ifname']),
        kind,
        up: listOf(one['flags']).includes('UP'),
        mtu: typeof one['mtu'] === 'number' ? one['mtu'] : 0,
        mac: textOf(one['address']),
        permanentMac: textOf(one['permaddr']),
        master: textOf(one['master']),
        parent: textOf(one['link']),
        options: optionsOf(kind, fieldsOf(info['info_data'])),
      };
    });
}

/** Options of a bond that `ip link add` takes under the names under which it shows them, and one that it shows under another. */
const BOND_OPTIONS = [
  'mode',
  'miimon',
  'updelay',
  'downdelay',
  'arp_interval',
  'primary',
  'primary_reselect',
  'fail_over_mac',
  'xmit_hash_policy',
  'all_slaves_active',
  'min_links',
  'lp_interval',
  'resend_igmp',
] as const;

/** Arguments that make a virtual link as it was. Kinds without an entry are not made again: their absence is reported. */
function optionsOf(kind: string, data: Fields): string[] {
  switch (kind) {
    case 'vlan':
      return [...pair('protocol', data['protocol']), ...pair('id', data['id'])];
    case 'bond': {
      const named = BOND_OPTIONS.flatMap((name) => pair(name, data[name]));
      return [...named, ...pair('lacp_rate', data['ad_lacp_rate'])];
    }
    case 'bridge':
      return [
        'forward_delay',
        'hello_time',
        'max_age',
        'ageing_time',
        'stp_state',
        'priority',
        'vlan_filtering',
      ].flatMap((name) => pair(name, data[name]));
    case 'macvlan':
    case 'ipvlan':
      return pair('mode', data['mode']);
    case 'vrf':
      return pair('table', data['table']);
    default:
      return [];
  }
}

/** Kinds that `ip link add` makes again with the options above. */
export const REMADE_KINDS: ReadonlySet<string> = new Set([
  'vlan',
  'bond',
  'bridge',
  'dummy',
  'macvlan',
  'ipvlan',
  'vrf',
  'ifb',
]);

/** Longest life of an address, seconds: the kernel's word for "for ever" (INFINITY_LIFE_TIME). */
const FOR_EVER = 4_294_967_295;

/** Addresses from `ip -d -j addr show`; those that the kernel makes by itself (link-local, temporary, loopback) are left out. Pure. */
export function parseAddresses(list: readonly Fields[]): AddressState[] {
  return list.flatMap((one) => {
    const link = textOf(one['ifname']);
    if (link === '' || link === 'lo') return [];
    return listOf(one['addr_info'])
      .map(fieldsOf)
      .flatMap((info) => addressOf(link, info));
  });
}

function addressOf(link: string, info: Fields): AddressState[] {
  const family = textOf(info['family']);
  const local = textOf(info['local']);
  if ((family !== 'inet' && family !== 'inet6') || local === '') return [];
  if (info['temporary'] === true || (family === 'inet6' && info['scope'] === 'link')) return [];
  const address = `${local}/${textOf(info['prefixlen'])}`;
  return [{ link, family, address, dynamic: info['dynamic'] === true, options: addressOptions(info) }];
}

/** The lifetime is renewed by whoever gave it, or ends as it would have; here it is taken as it was. */
function addressOptions(info: Fields): string[] {
  const valid = typeof info['valid_life_time'] === 'number' ? info['valid_life_time'] : FOR_EVER;
  const preferred = typeof info['preferred_life_time'] === 'number' ? info['preferred_life_time'] : FOR_EVER;
  return [
    ...(textOf(info['address']) === '' ? [] : ['peer', `${textOf(info['address'])}/${textOf(info['prefixlen'])}`]),
    ...pair('broadcast', info['broadcast']),
    ...pair('label', info['label']),
    ...pair('scope', info['scope']),
    ...pair('metric', info['metric']),
    ...(valid === FOR_EVER ? [] : ['valid_lft', String(valid), 'preferred_lft', String(Math.min(preferred, valid))]),
    ...(info['noprefixroute'] === true ? ['noprefixroute'] : []),
  ];
}
