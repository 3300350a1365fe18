/**
 * The files to load for some kmods, each after what it needs, read from depmod's modules.dep.
 * A name that is not there is left out: it is built in.
 *
 * @param modulesDep lines of `path: dependency dependency …`, all relative to /lib/modules/RELEASE
 */
export function loadOrder(modulesDep: string, kmods: readonly string[]): string[] {
  const lines = new Map<string, string[]>();
  for (const line of modulesDep.split('\n')) {
    const [path, depends] = line.split(':');
    if (path) lines.set(path, depends?.trim().split(/\s+/).filter(Boolean) ?? []);
  }
  const nameOf = (path: string): string =>
    (path.split('/').at(-1) ?? '').replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
  const order: string[] = [];
  for (const kmod of kmods) {
    for (const [path, depends] of lines) {
      if (nameOf(path) !== kmod) continue;
      // modules.dep lists all dependencies, nearest first: the last one needs none of the others.
      for (const file of [...depends.toReversed(), path]) if (!order.includes(file)) order.push(file);
    }
  }
  return order;
}
