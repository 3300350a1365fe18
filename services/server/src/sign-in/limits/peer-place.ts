import { isIPv6 } from 'node:net';

/**
 * Where somebody comes from, as far as limits go: an IPv4 address, or the /64 of an IPv6 address, since that is what one customer has at least (RFC 6177),
 * and can change its last 64 bits at will.
 *
 * @param address the true peer's; an IPv4 address that an IPv6 socket shows (::ffff:192.0.2.1) is one.
 */
export function placeOf(address: string): string {
  const bare = (address.split('%', 1)[0] ?? '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(bare)) return bare;
  const [head = '', tail = ''] = bare.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = Math.max(0, 8 - left.length - right.length);
  const groups = bare.includes('::') ? [...left, ...Array<string>(zeros).fill('0'), ...right] : left;
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
