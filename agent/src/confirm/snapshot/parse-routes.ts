import type { Family, LineState } from './host-snapshot.ts';
import { type Fields, fieldsOf, listOf, pair, textOf } from './ip-json.ts';

/** Types of routes that the kernel makes with an address. */
const KERNEL_TYPES: ReadonlySet<string> = new Set(['local', 'broadcast', 'multicast', 'anycast']);

/** Routes of all tables, from `ip [-6] -j -d route show table all`, as words of `ip route`; the kernel's own are left out. Pure. */
export function parseRoutes(family: Family, list: readonly Fields[]): LineState[] {
  return list.flatMap((route) => {
    const type = textOf(route['type']);
    const table = textOf(route['table']);
    const destination = textOf(route['dst']);
    if (destination === '' || table === 'local' || KERNEL_TYPES.has(type)) return [];
    // Router advertisements come again by themselves, and so does what every IPv6 link has.
    if (textOf(route['protocol']) === 'ra' || /^(fe80::|ff00::)/.test(destination)) return [];
    return [{ family, words: routeWords(route, destination, type, table) }];
  });
}

function routeWords(route: Fields, destination: string, type: string, table: string): string[] {
  const flags = listOf(route['flags']);
  const hops = listOf(route['nexthops']).map(fieldsOf);
  return [
    ...(type === '' || type === 'unicast' ? [] : [type]),
    destination,
    ...gatewayWords(route),
    ...pair('dev', route['dev']),
    ...pair('proto', route['protocol']),
    ...pair('scope', route['scope'] === 'global' ? '' : route['scope']),
    ...pair('src', route['prefsrc']),
    ...pair('metric', route['metric']),
    ...pair('table', table === 'main' ? '' : table),
    ...(flags.includes('onlink') ? ['onlink'] : []),
    ...hops.flatMap((hop) => [
      'nexthop',
      ...gatewayWords(hop),
      ...pair('dev', hop['dev']),
      ...pair('weight', hop['weight']),
    ]),
  ];
}

function gatewayWords(route: Fields): string[] {
  const via = fieldsOf(route['via']);
  const gateway = pair('via', route['gateway']);
  return gateway.length > 0 || via['host'] === undefined
    ? gateway
    : ['via', textOf(via['family']), textOf(via['host'])];
}

/** Rules from `ip [-6] -j rule show`, as words of `ip rule`; the three of the kernel are left out. Pure. */
export function parseRules(family: Family, list: readonly Fields[]): LineState[] {
  return list.flatMap((rule) => {
    const table = textOf(rule['table']);
    const priority = textOf(rule['priority']);
    if (table === '' || ['0', '32766', '32767'].includes(priority)) return [];
    const from = textOf(rule['src']);
    const to = textOf(rule['dst']);
    const words = [
      ...pair('priority', priority),
      ...['from', withPrefix(from, rule['srclen'])].filter(() => from !== ''),
      ...['to', withPrefix(to, rule['dstlen'])].filter(() => to !== ''),
      ...pair('iif', rule['iif']),
      ...pair('oif', rule['oif']),
      ...pair('fwmark', rule['fwmark']),
      ...pair('table', table),
    ];
    return [{ family, words }];
  });
}

function withPrefix(address: string, length: unknown): string {
  return textOf(length) === '' ? address : `${address}/${textOf(length)}`;
}
