import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { Processes } from '../usage/processes.ts';
import { type Mount, parseMountinfo } from './mounts.ts';

/** Interfaces in a network namespace that is not ours. */
export interface ForeignInterfaces {
  /** A process inside. */
  readonly pid: number;
  readonly names: readonly string[];
}

/** Mounts in a mount namespace that is not that of process 1. */
export interface ForeignMounts {
  /** A process inside. */
  readonly pid: number;
  readonly mounts: readonly Mount[];
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
export async function readForeignInterfaces(files: HostFiles, processes: Processes): Promise<ForeignInterfaces[]> {
  const own = valueOf(await files.readLink('/proc/self/ns/net'));
  const foreign: ForeignInterfaces[] = [];
  for (const pid of firstOfEach(processes, (process) => process.networkNamespace, own)) {
    const names = parseDev(valueOf(await files.readText(`/proc/${pid}/net/dev`)) ?? '').filter(
      (one) => !FALLBACK.has(one),
    );
    if (names.length > 0) foreign.push({ pid, names });
  }
  return foreign;
}

/** Mounts of the mount namespaces of all running processes but that of process 1 (whose mounts `readMounts` gives). */
export async function readForeignMounts(files: HostFiles, processes: Processes): Promise<ForeignMounts[]> {
  const first = valueOf(await files.readLink('/proc/1/ns/mnt')) ?? valueOf(await files.readLink('/proc/self/ns/mnt'));
  const foreign: ForeignMounts[] = [];
  for (const pid of firstOfEach(processes, (process) => process.mountNamespace, first)) {
    const mounts = parseMountinfo(valueOf(await files.readText(`/proc/${pid}/mountinfo`)) ?? '');
    if (mounts.length > 0) foreign.push({ pid, mounts });
  }
  return foreign;
}

/** One process of each namespace but the known one. */
function firstOfEach(
  { seen }: Processes,
  namespaceOf: (process: Processes['seen'][number]) => string | undefined,
  known: string | undefined,
): number[] {
  const found = new Map<string, number>();
  for (const process of seen) {
    const namespace = namespaceOf(process);
    if (namespace !== undefined && namespace !== known && !found.has(namespace)) found.set(namespace, process.pid);
  }
  return [...found.values()];
}

/** Names in /proc/net/dev, below its two lines of heading. */
function parseDev(text: string): string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}
