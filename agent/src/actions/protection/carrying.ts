import type { HostFiles } from '../../host/host-files.ts';
import type { Interface } from './interfaces.ts';
import { routeInterfaces, type ServerRoute } from './routes.ts';

/**
 * The interfaces that carry the agent's connection, and those that carry these: a tunnel rides on the way to its other end. Where that end is not to be
 * seen (WireGuard, a VPN's own process), every card that is up may carry it, and so each counts.
 */
export async function carryingInterfaces(
  files: HostFiles,
  interfaces: readonly Interface[],
  route: ServerRoute | undefined,
): Promise<string[]> {
  const byName = new Map(interfaces.map((one) => [one.name, one]));
  const found = new Set<string>();
  const pending = await routeInterfaces(files, route);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const one = byName.get(name);
    if (one === undefined || one.hardware) continue;
    // What stands on others is walked down by supportsOfInterfaces; the last of them may be a tunnel as well.
    pending.push(...one.lower.filter((lower) => byName.get(lower)?.hardware === false));
    // A bridge without ports and the like ride on nothing; that they then count more is harmless.
    if (one.lower.length > 0) continue;
    if (one.remote === undefined)
      pending.push(...interfaces.filter((each) => each.hardware && each.up).map((each) => each.name));
    else pending.push(...(await routeInterfaces(files, { remoteAddress: one.remote })));
  }
  return [...found];
}
