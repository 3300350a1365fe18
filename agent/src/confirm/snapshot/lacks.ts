import type { AddressState, HostSnapshot, KmodRecord, LineState } from './host-snapshot.ts';
import type { Lack } from './lack.ts';
import { linkLacks } from './link-lacks.ts';

/** What was there before and is not there now, in the order in which it has to be put back. Pure. */
export function lacksOf(before: HostSnapshot, now: HostSnapshot): Lack[] {
  return [...kmodLacks(before.kmods, now.kmods), ...networkLacks(before, now)];
}

/** Kmods alone. Pure. */
export function kmodLacks(before: readonly KmodRecord[], now: readonly KmodRecord[]): Lack[] {
  const present = new Map(now.map((one) => [one.name, one]));
  return before.flatMap((was): Lack[] => {
    const is = present.get(was.name);
    const halfway = is?.halfway;
    if (!was.loaded) {
      const isThere = is?.loaded === true || (halfway !== undefined && halfway !== was.halfway);
      return isThere ? [{ kind: 'extra_kmod', name: was.name, halfway }] : parameterLacks(was, is);
    }
    if (is?.loaded !== true) return [{ kind: 'kmod', kmod: was, halfway }];
    return parameterLacks(was, is);
  });
}

/** Also of code that is built in, which is not loaded and has parameters. */
function parameterLacks(was: KmodRecord, is: KmodRecord | undefined): Lack[] {
  const values = new Map(is?.parameters);
  return was.parameters
    .filter(([name, value]) => (values.get(name) ?? value) !== value)
    .map(([name, value]) => ({ kind: 'parameter', kmod: was.name, name, was: value, is: values.get(name) ?? '' }));
}

/** Links first (parents before children), then what belongs to them, then addresses, then what needs those. */
export function networkLacks(before: HostSnapshot, now: HostSnapshot): Lack[] {
  const addresses = new Set(now.addresses.map(addressKey));
  const routes = new Set(now.routes.map(lineKey));
  const rules = new Set(now.rules.map(lineKey));
  const slots = before.routes.map(slotOf);
  return [
    ...linkLacks(before, now),
    ...inOrderOfGiving(before.addresses)
      .filter((one) => !addresses.has(addressKey(one)) && !isReplaced(one, now))
      .map((address): Lack => ({ kind: 'address', address })),
    ...before.routes
      .filter((one) => !routes.has(lineKey(one)) && !isRouteReplaced(one, before, now))
      .map((route): Lack => {
        const shared = slots.filter((slot) => slot === slotOf(route)).length > 1;
        return { kind: 'route', route, shared };
      }),
    ...before.rules.filter((one) => !rules.has(lineKey(one))).map((rule): Lack => ({ kind: 'rule', rule })),
  ];
}

/** The first IPv4 address of a network is the primary one; of IPv6 the newest stands first (net/ipv6/addrconf.c, ipv6_link_dev_addr). */
function inOrderOfGiving(addresses: readonly AddressState[]): AddressState[] {
  const of = (family: AddressState['family']): AddressState[] => addresses.filter((one) => one.family === family);
  return [...of('inet'), ...of('inet6').reverse()];
}

/** A lease may name another address after the card came back; that is as good. */
function isReplaced(one: AddressState, now: HostSnapshot): boolean {
  return one.dynamic && now.addresses.some((is) => is.dynamic && is.link === one.link && is.family === one.family);
}

/** A route that names a leased address which another one replaced. */
function isRouteReplaced(one: LineState, before: HostSnapshot, now: HostSnapshot): boolean {
  const source = one.words[one.words.indexOf('src') + 1];
  if (!one.words.includes('src') || source === undefined) return false;
  const leased = before.addresses.find((address) => address.address.split('/')[0] === source);
  return (
    leased !== undefined &&
    !now.addresses.some((is) => addressKey(is) === addressKey(leased)) &&
    isReplaced(leased, now)
  );
}

/** Whoever leases an address gives it again with what else it has. */
const addressKey = ({ link, address, dynamic, options, strange }: AddressState): string =>
  [link, address, ...(dynamic ? [] : [...options, ...strange])].join(' ');
const lineKey = ({ family, words, strange }: LineState): string => [family, ...words, ...strange].join(' ');

/** What `ip route replace` takes for the same route. */
function slotOf({ family, words }: LineState): string {
  const after = (word: string): string => (words.includes(word) ? (words[words.indexOf(word) + 1] ?? '') : '');
  const destination = words.find((word) => /^default$|[.:]/.test(word)) ?? '';
  return [family, destination, ...['from', 'tos', 'metric', 'table'].map(after)].join(' ');
}
