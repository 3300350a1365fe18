import type { AddressState } from './host-snapshot.ts';
import { type Fields, fieldsOf, listOf, names, pair, strangeFields, textOf } from '../../exec/ip-json.ts';

/** Longest life of an address, seconds: the kernel's word for "for ever" (INFINITY_LIFE_TIME). */
const FOR_EVER = 4_294_967_295;

/** Fields that have a word of `ip addr`, and those that follow from others or change by themselves. */
const KNOWN: ReadonlySet<string> = names(
  'family local address prefixlen broadcast anycast label scope metric protocol noprefixroute nodad home',
  'mngtmpaddr autojoin dynamic temporary secondary deprecated tentative dadfailed optimistic stable-privacy',
  'valid_life_time preferred_life_time',
);

const FLAGS = ['noprefixroute', 'nodad', 'home', 'mngtmpaddr', 'autojoin'] as const;

/** Addresses from `ip -d -j addr show`; those that the kernel makes by itself (its link-local ones, temporary, loopback) are left out. Pure. */
export function parseAddresses(list: readonly Fields[]): AddressState[] {
  return list.flatMap((one) => {
    const link = textOf(one['ifname']);
    if (link === '' || link === 'lo') return [];
    return listOf(one['addr_info'])
      .map(fieldsOf)
      .flatMap((info) => addressOf(link, textOf(one['address']), info));
  });
}

function addressOf(link: string, mac: string, info: Fields): AddressState[] {
  const family = textOf(info['family']);
  const local = textOf(info['local']);
  if ((family !== 'inet' && family !== 'inet6') || local === '') return [];
  if (info['temporary'] === true || isKernelsOwn(local, mac, info)) return [];
  const address = `${local}/${textOf(info['prefixlen'])}`;
  return [
    {
      link,
      family,
      address,
      dynamic: info['dynamic'] === true,
      options: addressOptions(info),
      lifetimes: lifetimesOf(info),
      strange: strangeFields(info, KNOWN),
    },
  ];
}

/**
 * A link-local address that the kernel gave, and gives again. Kernels before 5.18 and iproute2 before 6.3 do not say who gave it; then it is the
 * kernel's when it has the flag of stable privacy, when it is made from the MAC address, and where there is no MAC address to compare it with.
 */
function isKernelsOwn(local: string, mac: string, info: Fields): boolean {
  if (info['family'] !== 'inet6' || info['scope'] !== 'link') return false;
  const origin = textOf(info['protocol']);
  if (origin.startsWith('kernel')) return true;
  const made = fromMac(mac);
  return info['stable-privacy'] === true || made === undefined || made === local;
}

/** The modified EUI-64 address of a MAC address (RFC 4291, appendix A), as `ip` writes it; undefined where there is no such MAC address. Pure. */
export function fromMac(mac: string): string | undefined {
  const bytes = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || bytes.every((byte) => byte === 0)) return undefined;
  const words = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return shortened([0xfe80, 0, 0, 0, ...words]);
}

/** The longest run of zeros, of two at least, becomes `::` (RFC 5952); the leading one, which all link-local addresses have, is the longest here. */
function shortened(words: readonly number[]): string {
  const rest = words.slice(words.findIndex((word, index) => index > 0 && word !== 0));
  return `${(words[0] ?? 0).toString(16)}::${rest.map((word) => word.toString(16)).join(':')}`;
}

function addressOptions(info: Fields): string[] {
  const peer = textOf(info['address']);
  const origin = textOf(info['protocol']);
  return [
    ...(peer === '' ? [] : ['peer', `${peer}/${textOf(info['prefixlen'])}`]),
    ...pair('broadcast', info['broadcast']),
    ...pair('anycast', info['anycast']),
    ...pair('label', info['label']),
    ...pair('scope', info['scope']),
    ...pair('metric', info['metric']),
    ...(['', '0', 'unspec'].includes(origin) || origin.startsWith('kernel') ? [] : ['proto', origin]),
    ...FLAGS.filter((flag) => info[flag] === true),
  ];
}

/** The lifetime is renewed by whoever gave it, or ends as it would have; here it is taken as it was. */
function lifetimesOf(info: Fields): string[] {
  const life = (name: string): number => (typeof info[name] === 'number' ? info[name] : FOR_EVER);
  const [valid, preferred] = [life('valid_life_time'), life('preferred_life_time')];
  if (valid === FOR_EVER && preferred === FOR_EVER) return [];
  const words = (value: number): string => (value === FOR_EVER ? 'forever' : String(value));
  return ['valid_lft', words(valid), 'preferred_lft', words(Math.min(preferred, valid))];
}
