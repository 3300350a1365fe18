import type { Family, LineState } from './host-snapshot.ts';
import { type Fields, names, pair, strangeFields, textOf } from '../../exec/ip-json.ts';

/*
 * Rules as words of `ip rule`. A rule that came back with less than it had would send other packets its way, so one with a field that has no word
 * here is strange: it is compared whole and never made again (ip/iprule.c of iproute2, print_rule).
 */

const ALL_BITS = '0xffff';

/** Fields that have their word below, and those that say how it is at the moment. */
const KNOWN: ReadonlySet<string> = names(
  'priority not src srclen dst dstlen tos fwmark fwmask iif oif l3mdev uid_start uid_end ipproto tun_id table',
  'suppress_prefixlen suppress_ifgroup goto nop sport sport_start sport_end dport dport_start dport_end action',
  'protocol iif_detached oif_detached unresolved',
);

/** Actions that are words of `ip rule add`, as they are of `ip route add`. */
const ACTIONS: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit']);

/** What a kernel begins with (net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c). */
const FIRST: ReadonlySet<string> = new Set([
  'priority 0 from all table local',
  'priority 32766 from all table main',
  'priority 32767 from all table default',
]);

/** Rules from `ip [-6] -j rule show`; the three of the kernel are left out. Pure. */
export function parseRules(family: Family, list: readonly Fields[]): LineState[] {
  return list
    .map((rule): LineState => ({ family, words: ruleWords(rule), strange: strangeOf(family, rule) }))
    .filter(({ words, strange }) => strange.length > 0 || !FIRST.has(words.join(' ')));
}

function ruleWords(rule: Fields): string[] {
  const flag = (name: string): string[] => (name in rule ? [name] : []);
  const action = textOf(rule['action']);
  return [
    ...pair('priority', rule['priority']),
    ...flag('not'),
    ...prefix('from', rule['src'], rule['srclen']),
    ...prefix('to', rule['dst'], rule['dstlen']),
    ...pair('tos', rule['tos']),
    ...pair('fwmark', 'fwmask' in rule ? `${textOf(rule['fwmark'])}/${textOf(rule['fwmask'])}` : rule['fwmark']),
    ...pair('iif', rule['iif']),
    ...pair('oif', rule['oif']),
    ...flag('l3mdev'),
    ...range('uidrange', rule['uid_start'], rule['uid_end']),
    ...pair('ipproto', rule['ipproto']),
    ...pair('sport', rule['sport']),
    ...range('sport', rule['sport_start'], rule['sport_end']),
    ...pair('dport', rule['dport']),
    ...range('dport', rule['dport_start'], rule['dport_end']),
    ...pair('tun_id', rule['tun_id']),
    ...pair('table', rule['table']),
    ...pair('suppress_prefixlength', rule['suppress_prefixlen']),
    ...pair('suppress_ifgroup', rule['suppress_ifgroup']),
    ...pair('goto', rule['goto']),
    ...flag('nop'),
    ...(ACTIONS.has(action) ? [action] : []),
    ...pair('protocol', rule['protocol']),
  ];
}

function strangeOf(family: Family, rule: Fields): string[] {
  const action = textOf(rule['action']);
  const fullMask = (name: string, value: unknown): boolean => /^[sd]port_mask$/.test(name) && value === ALL_BITS;
  const fields = Object.fromEntries(Object.entries(rule).filter(([name, value]) => !fullMask(name, value)));
  return [
    ...strangeFields(fields, KNOWN),
    ...(action === '' || ACTIONS.has(action) ? [] : [`action=${action}`]),
    ...(rule['goto'] === 'none' ? ['goto=none'] : []),
    // A prefix of zeros alone is shown as "0", which `ip -6` does not take.
    ...(family === 'inet6' && (rule['src'] === '0' || rule['dst'] === '0') ? ['prefix=0'] : []),
  ];
}

function prefix(word: string, address: unknown, length: unknown): string[] {
  const text = textOf(address);
  return pair(word, text === '' || textOf(length) === '' ? text : `${text}/${textOf(length)}`);
}

function range(word: string, first: unknown, last: unknown): string[] {
  return textOf(first) === '' ? [] : [word, `${textOf(first)}-${textOf(last)}`];
}
