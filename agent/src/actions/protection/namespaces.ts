import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';

/** Interfaces in a network namespace that is not ours. */
export interface ForeignInterfaces {
  /** A process inside. */
  readonly pid: number;
  readonly names: readonly string[];
}

/** Made by the kmod itself in every namespace, down and without a use (net/ipv4/ip_tunnel.c: fb_tunnel). */
const FALLBACK = new Set([
  'lo',
  'tunl0',
  'gre0',
  'gretap0',
  'erspan0',
  'sit0',
  'ip6tnl0',
  'ip6gre0',
  'ip_vti0',
  'ip6_vti0',
]);

/** Interfaces of the network namespaces of all running processes but our own. Their kinds cannot be told from outside. */
export async function readForeignInterfaces(files: HostFiles): Promise<ForeignInterfaces[]> {
  const own = valueOf(await files.readLink('/proc/self/ns/net'));
  const seen = new Set(own === undefined ? [] : [own]);
  const foreign: ForeignInterfaces[] = [];
  for (const { name } of valueOf(await files.list('/proc')) ?? []) {
    if (!/^\d+$/.test(name)) continue;
    const namespace = valueOf(await files.readLink(`/proc/${name}/ns/net`));
    if (namespace === undefined || seen.has(namespace)) continue;
    seen.add(namespace);
    const names = parseDev(valueOf(await files.readText(`/proc/${name}/net/dev`)) ?? '').filter(
      (one) => !FALLBACK.has(one),
    );
    if (names.length > 0) foreign.push({ pid: Number(name), names });
  }
  return foreign;
}

/** Names in /proc/net/dev, below its two lines of heading. */
function parseDev(text: string): string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}
