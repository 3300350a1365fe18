import type { HostFiles } from '../../host/host-files.ts';
import type { Interface } from './interfaces.ts';
import { addressOf, isLoopback, routeInterfaces, type ServerRoute } from './routes.ts';

/**
 * The interfaces that carry a connection (undefined: the default routes), and those that carry these: a tunnel rides on the way to its other end.
 * Where that end is not to be seen (WireGuard, a VPN's own process), every card that is up may carry it, and so each counts; so too where no route is
 * to be seen, as it may lie in another table than the main one.
 */
export async function carryingInterfaces(
  files: HostFiles,
  interfaces: readonly Interface[],
  route: ServerRoute | undefined,
): Promise<string[]> {
  const byName = new Map(interfaces.map((one) => [one.name, one]));
  const found = new Set<string>();
  const pending = [...(await routeInterfaces(files, route)), ...holdersOf(interfaces, route?.localAddress)];
  if (pending.length === 0 && !(route !== undefined && isLoopback(route.remoteAddress)))
    pending.push(...cardsUp(interfaces));
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const one = byName.get(name);
    if (one === undefined || one.hardware) continue;
    // What stands on others is walked down by supportsOfInterfaces; the last of them may be a tunnel as well.
    pending.push(...one.lower.filter((lower) => byName.get(lower)?.hardware === false));
    // A bridge without ports and the like ride on nothing; that they then count more is harmless.
    if (one.lower.length > 0) continue;
    const way = one.remote === undefined ? [] : await routeInterfaces(files, { remoteAddress: one.remote });
    pending.push(...(way.length > 0 ? way : cardsUp(interfaces)));
  }
  return [...found];
}

/** Every interface with a device that is up, or may be. */
export function cardsUp(interfaces: readonly Interface[]): string[] {
  return interfaces.filter((one) => one.hardware && one.state !== 'down').map((one) => one.name);
}

/** Who has an address: where policies choose the route, its table does not tell. */
function holdersOf(interfaces: readonly Interface[], address: string | undefined): string[] {
  const wanted = address === undefined ? undefined : addressOf(address);
  if (wanted === undefined) return [];
  return interfaces
    .filter((one) => one.addresses.some((each) => sameAddress(addressOf(each), wanted)))
    .map((one) => one.name);
}

function sameAddress(one: ReturnType<typeof addressOf>, other: NonNullable<ReturnType<typeof addressOf>>): boolean {
  return one?.value === other.value && one.bits === other.bits;
}
