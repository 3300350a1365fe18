import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { evidence } from '../findings/facts.ts';
import type { Processes } from '../usage/processes.ts';
import { type Mount, parseMountinfo } from './mounts.ts';

/** A network namespace that is not ours. */
export interface ForeignNetwork {
  /** For people: `of process 77`, or what keeps it where no process lives in it. */
  readonly where: string;
  /** A process that lives in it or holds it, or the path where it is mounted. */
  readonly evidence: Evidence;
  /** Its interfaces; undefined: nobody lives in it, so they cannot be seen. */
  readonly names: readonly string[] | undefined;
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

/**
 * The network namespaces beside our own that have interfaces, or may have: those of all running processes, and those that only a mount (`ip netns
 * add`) or an open file keeps. The kinds of their interfaces cannot be told from outside.
 */
export async function readForeignNetworks(
  files: HostFiles,
  processes: Processes,
  mounts: readonly Mount[],
): Promise<ForeignNetwork[]> {
  const own = valueOf(await files.readLink('/proc/self/ns/net'));
  const foreign: ForeignNetwork[] = [];
  for (const pid of firstOfEach(processes, (process) => process.networkNamespace, own)) {
    const listed = await files.readText(`/proc/${pid}/net/dev`);
    const names = listed.kind === 'ok' ? parseDev(listed.value).filter((one) => !FALLBACK.has(one)) : undefined;
    // A process that has ended meanwhile took its namespace with it, or it is seen by what keeps it.
    if (listed.kind !== 'not_found' && names?.length !== 0)
      foreign.push({ where: `of process ${pid}`, evidence: evidence('process', String(pid)), names });
  }
  const known = new Set([own, ...processes.seen.map((process) => process.networkNamespace)]);
  for (const [namespace, kept] of keptNamespaces(processes, mounts))
    if (!known.has(namespace)) foreign.push({ ...kept, names: undefined });
  return foreign;
}

/** By `net:[…]`. */
function keptNamespaces(
  { seen }: Processes,
  mounts: readonly Mount[],
): Map<string, Pick<ForeignNetwork, 'where' | 'evidence'>> {
  const kept = new Map<string, Pick<ForeignNetwork, 'where' | 'evidence'>>();
  for (const { type, root, point } of mounts)
    if (type === 'nsfs' && root.startsWith('net:['))
      kept.set(root, { where: `at ${point}, in which no process runs,`, evidence: evidence('path', point) });
  for (const { pid, heldNamespaces } of seen)
    for (const one of heldNamespaces)
      if (!kept.has(one))
        kept.set(one, {
          where: `${one}, which process ${pid} holds and in which none runs,`,
          evidence: evidence('process', String(pid)),
        });
  return kept;
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
