import type { Family, LineState } from './host-snapshot.ts';
import { type Fields, fieldsOf, listOf, names, pair, plainText, strangeFields, textOf } from '../../exec/ip-json.ts';

/*
 * Routes as words of `ip route`. Every field of a route has its word here, or changes by itself, or makes the route strange: that one is compared
 * whole and never made again, as what came of it would be another route (ip/iproute.c of iproute2, print_route).
 */

/** Types of routes that the kernel makes with an address. */
const KERNEL_TYPES: ReadonlySet<string> = new Set(['local', 'broadcast', 'multicast', 'anycast']);

/** Fields that have their word below, and `error`, which follows from the type. */
const KNOWN: ReadonlySet<string> = names(
  'type dst from tos gateway via dev table protocol scope prefsrc metric flags metrics pref nexthops error',
  'expires',
);
const KNOWN_OF_HOP: ReadonlySet<string> = new Set(['gateway', 'via', 'dev', 'weight', 'flags']);

/** Flags that can be given, and those that say how it is at the moment. */
const GIVEN_FLAGS: ReadonlySet<string> = new Set(['onlink', 'pervasive']);
const STATE_FLAGS: ReadonlySet<string> = names(
  'dead linkdown unresolved offload trap notify rt_offload rt_trap rt_offload_failed',
);

/** Metrics that `ip route` takes as it shows them, and those that it shows as milliseconds. */
const NUMBERS: ReadonlySet<string> = names(
  'mtu window ssthresh cwnd advmss reordering hoplimit initcwnd initrwnd quickack fastopen_no_cookie',
);
const TIMES: ReadonlySet<string> = new Set(['rtt', 'rttvar', 'rto_min']);

/** Metrics for which `lock` is no word: `ip` locks this one always, and the others never. */
const LOCKED_ALWAYS: ReadonlySet<string> = new Set(['rto_min']);
const LOCKED_NEVER: ReadonlySet<string> = new Set(['quickack', 'fastopen_no_cookie']);

/** The locked metrics of each route of a list. */
export type Locks = readonly ReadonlySet<string>[] | 'not_known';

/** Routes of all tables, from `ip -4|-6 -j route show table all`; the kernel's own are left out. `locks` of `lockedMetrics`. Pure. */
export function parseRoutes(family: Family, list: readonly Fields[], locks: Locks = []): LineState[] {
  return list.flatMap((route, index) => {
    if (isKernelsOwn(route)) return [];
    const hops = listOf(route['nexthops']).map(fieldsOf);
    const metrics = metricsOf(route, locks === 'not_known' ? locks : (locks[index] ?? new Set()));
    return [
      {
        family,
        words: [...routeWords(route), ...metrics.words, ...hops.flatMap(hopWords)],
        strange: [
          ...strangeFields(route, KNOWN),
          ...metrics.strange,
          ...strangeFlags(route),
          ...hops.flatMap((hop) => [...strangeFields(hop, KNOWN_OF_HOP), ...strangeFlags(hop)]),
          // It would stay where it was to end.
          ...(route['expires'] === undefined ? [] : ['expires']),
        ],
      },
    ];
  });
}

/** Those of addresses and links, and of router advertisements, come again by themselves. */
function isKernelsOwn(route: Fields): boolean {
  const [destination, protocol] = [textOf(route['dst']), textOf(route['protocol'])];
  if (destination === '' || textOf(route['table']) === 'local' || KERNEL_TYPES.has(textOf(route['type']))) return true;
  return protocol === 'ra' || (protocol === 'kernel' && /^(fe80::|ff00::)/.test(destination));
}

function routeWords(route: Fields): string[] {
  const [type, table] = [textOf(route['type']), textOf(route['table'])];
  return [
    ...(type === '' || type === 'unicast' ? [] : [type]),
    textOf(route['dst']),
    ...pair('from', route['from']),
    ...pair('tos', route['tos']),
    ...gatewayWords(route),
    ...pair('dev', route['dev']),
    ...pair('proto', route['protocol']),
    ...pair('scope', route['scope'] === 'global' ? '' : route['scope']),
    ...pair('src', route['prefsrc']),
    ...pair('metric', route['metric']),
    ...pair('table', table === 'main' ? '' : table),
    ...pair('pref', route['pref'] === 'medium' ? '' : route['pref']),
    ...givenFlags(route),
  ];
}

function hopWords(hop: Fields): string[] {
  return [
    'nexthop',
    ...gatewayWords(hop),
    ...pair('dev', hop['dev']),
    ...pair('weight', hop['weight']),
    ...givenFlags(hop),
  ];
}

function gatewayWords(route: Fields): string[] {
  const via = fieldsOf(route['via']);
  const gateway = pair('via', route['gateway']);
  return gateway.length > 0 || via['host'] === undefined
    ? gateway
    : ['via', textOf(via['family']), textOf(via['host'])];
}

function givenFlags({ flags }: Fields): string[] {
  return listOf(flags)
    .map(textOf)
    .filter((flag) => GIVEN_FLAGS.has(flag));
}

function strangeFlags({ flags }: Fields): string[] {
  const known = (flag: string): boolean => GIVEN_FLAGS.has(flag) || STATE_FLAGS.has(flag);
  return listOf(flags)
    .map(textOf)
    .filter((flag) => !known(flag))
    .map((flag) => `flag=${flag}`);
}

function metricsOf(route: Fields, locked: ReadonlySet<string> | 'not_known'): { words: string[]; strange: string[] } {
  const metrics = listOf(route['metrics']).flatMap((one) => Object.entries(fieldsOf(one)));
  const words: string[] = [];
  // Which of them are locked, only the text says; where that could not be read, what would be made is not known.
  const strange = metrics.length > 0 && locked === 'not_known' ? ['lock=?'] : [];
  for (const [name, value] of metrics) {
    const word = name === 'congestion' ? 'congctl' : name;
    const isLocked = locked !== 'not_known' && locked.has(word);
    const isGivable = NUMBERS.has(word) || TIMES.has(word) || word === 'congctl';
    if (!isGivable || (isLocked ? LOCKED_NEVER : LOCKED_ALWAYS).has(word)) {
      strange.push(`${name}=${isLocked ? 'lock ' : ''}${plainText(value)}`);
      continue;
    }
    const lock = isLocked && !LOCKED_ALWAYS.has(word) ? ['lock'] : [];
    words.push(word, ...lock, `${textOf(value)}${TIMES.has(word) ? 'ms' : ''}`);
  }
  return { words, strange };
}

/** Whether any route has metrics. Only the text of `ip -o route show` says which of these are locked. Pure. */
export function hasMetrics(list: readonly Fields[]): boolean {
  return list.some((route) => listOf(route['metrics']).length > 0);
}

/** The locked metrics of each route, from the same list as text, one a line; not known when it is not the same list any more. Pure. */
export function lockedMetrics(list: readonly Fields[], text: string): Locks {
  const lines = text.split('\n').filter((line) => line !== '');
  const isSame = lines.length === list.length && list.every((route, at) => hasWord(lines[at], textOf(route['dst'])));
  return isSame
    ? lines.map((line) => new Set([...line.matchAll(/(\S+) lock /g)].map(([, name = '']) => name)))
    : 'not_known';
}

function hasWord(line: string | undefined, word: string): boolean {
  return line?.split(/\s+/).includes(word) ?? false;
}
