import { isIP, isIPv4 } from 'node:net';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';

/** The addresses of the agent's connection to its server, where they are known. */
export interface ServerRoute {
  readonly localAddress?: string | undefined;
  readonly remoteAddress: string;
}

/** The interfaces that carry the agent's connection; without one, those of the default routes. Empty for a server on this machine. */
export async function routeInterfaces(files: HostFiles, route: ServerRoute | undefined): Promise<string[]> {
  const v4 = parseRoutes(valueOf(await files.readText('/proc/net/route')) ?? '');
  const v6 = parseRoutes6(valueOf(await files.readText('/proc/net/ipv6_route')) ?? '');
  const all = [...v4, ...v6].filter((one) => one.interface !== 'lo');
  const remote = route === undefined ? undefined : addressOf(route.remoteAddress);
  if (route === undefined || remote === undefined)
    return unique(all.filter((one) => one.prefix === 0).map((one) => one.interface));
  if (isLoopback(route.remoteAddress)) return [];
  const best = longest(all, remote);
  // The local address tells the interface even where routing policies say otherwise.
  const local = route.localAddress === undefined ? undefined : addressOf(route.localAddress);
  const connected =
    local === undefined
      ? []
      : longest(
          all.filter((one) => one.direct),
          local,
        );
  return unique([...best, ...connected].map((one) => one.interface));
}

interface Address {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

interface Route extends Address {
  readonly interface: string;
  readonly prefix: number;
  /** Without a gateway: the interface has an address in it. */
  readonly direct: boolean;
}

/** /proc/net/route: hexadecimal in the machine's byte order, which is little endian wherever Node.js runs. RTF_UP is 1. */
export function parseRoutes(text: string): Route[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [name, destination, gateway, flags, , , , mask] = line.split('\t').map((field) => field.trim());
      if (
        name === undefined ||
        destination === undefined ||
        mask === undefined ||
        (Number.parseInt(flags ?? '0', 16) & 1) === 0
      )
        return [];
      const prefix = bitsSet(swap(mask));
      return [{ interface: name, value: swap(destination), bits: 32, prefix, direct: gateway === '00000000' } as const];
    });
}

/** /proc/net/ipv6_route: destination, prefix length, source, its length, next hop, metric, references, use, flags, interface. */
export function parseRoutes6(text: string): Route[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [destination, prefix, , , hop, , , , flags, name] = fields;
    if (destination === undefined || name === undefined || !/^[0-9a-f]{32}$/.test(destination)) return [];
    // RTF_UP; RTF_REJECT (0x200) is "unreachable".
    const bits = Number.parseInt(flags ?? '0', 16);
    if ((bits & 1) === 0 || (bits & 0x200) !== 0) return [];
    return [
      {
        interface: name,
        value: BigInt(`0x${destination}`),
        bits: 128,
        prefix: Number.parseInt(prefix ?? '0', 16),
        direct: /^0+$/.test(hop ?? ''),
      } as const,
    ];
  });
}

function longest(routes: readonly Route[], address: Address): Route[] {
  const matching = routes.filter((route) => route.bits === address.bits && covers(route, address));
  const best = Math.max(-1, ...matching.map((route) => route.prefix));
  return matching.filter((route) => route.prefix === best);
}

function covers(route: Route, address: Address): boolean {
  const shift = BigInt(route.bits - route.prefix);
  return route.value >> shift === address.value >> shift;
}

/** An address of this machine itself. */
export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}

/** Undefined for what is no IP address. IPv4 inside IPv6 counts as IPv4. */
export function addressOf(text: string): Address | undefined {
  const plain = text.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(plain)) return { value: plain.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n), bits: 32 };
  if (isIP(plain) !== 6) return undefined;
  const [head, tail] = plain.split('::');
  const before = groups(head ?? '');
  const after = tail === undefined ? [] : groups(tail);
  const middle = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return {
    value: [...before, ...middle, ...after].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n),
    bits: 128,
  };
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

function swap(hex: string): bigint {
  return BigInt(`0x${hex.match(/../g)?.reverse().join('') ?? '0'}`);
}

function bitsSet(value: bigint): number {
  return value.toString(2).replaceAll('0', '').length;
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
