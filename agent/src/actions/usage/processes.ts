import type { HostFiles, ReadOutcome } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';

/** A running process, as far as it holds something of a kmod. */
export interface ProcessSeen {
  readonly pid: number;
  /** Targets of its open files below /dev, without a "(deleted)" at their end. */
  readonly nodes: readonly string[];
  /** Inodes of its sockets. */
  readonly sockets: readonly string[];
  /** `net:[…]` and `mnt:[…]`; undefined when not to be seen. */
  readonly networkNamespace: string | undefined;
  readonly mountNamespace: string | undefined;
  /** Network namespaces that it holds open without living in them: `net:[…]`. */
  readonly heldNamespaces: readonly string[];
}

/** All processes, and whether all of them could be looked at. */
export interface Processes {
  readonly seen: readonly ProcessSeen[];
  readonly allSeen: boolean;
}

/** Processes looked at together. */
const WIDTH = 16;

/** One pass over /proc: open device nodes, sockets, and the namespaces that each process lives in. */
export async function readProcesses(files: HostFiles): Promise<Processes> {
  const pids = (valueOf(await files.list('/proc')) ?? [])
    .map((entry) => entry.name)
    .filter((name) => /^\d+$/.test(name));
  const seen: ProcessSeen[] = [];
  // Process 1 is always there: without it /proc cannot be listed, or hides what is not ours (hidepid, proc(5)).
  let allSeen = pids.includes('1');
  for (let start = 0; start < pids.length; start += WIDTH) {
    for (const one of await Promise.all(pids.slice(start, start + WIDTH).map((pid) => readProcess(files, pid)))) {
      if (one.denied) allSeen = false;
      seen.push(one.process);
    }
  }
  return { seen, allSeen };
}

/** What a process calls itself; empty when it is gone. */
export async function commandOf(files: HostFiles, pid: number): Promise<string> {
  return valueOf(await files.readText(`/proc/${pid}/comm`))?.trim() ?? '';
}

/** True where a process keeps it from us; false for one that is gone meanwhile, or that only waits to be reaped (it has no files and namespaces). */
export function isHidden(outcome: ReadOutcome<unknown>): boolean {
  return outcome.kind === 'denied' || (outcome.kind === 'error' && !['ESRCH', 'EINVAL'].includes(outcome.errno));
}

async function readProcess(files: HostFiles, pid: string): Promise<{ process: ProcessSeen; denied: boolean }> {
  const [fds, net, mnt] = await Promise.all([
    files.list(`/proc/${pid}/fd`),
    files.readLink(`/proc/${pid}/ns/net`),
    files.readLink(`/proc/${pid}/ns/mnt`),
  ]);
  const links = await Promise.all((valueOf(fds) ?? []).map(({ name }) => files.readLink(`/proc/${pid}/fd/${name}`)));
  const targets = links.map((link) => valueOf(link)).filter((target) => target !== undefined);
  return {
    denied: isHidden(fds),
    process: {
      pid: Number(pid),
      nodes: targets
        .map((target) => target.replace(/ \(deleted\)$/, ''))
        .filter((target) => target.startsWith('/dev/') && target !== '/dev/null'),
      sockets: targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []),
      networkNamespace: valueOf(net),
      mountNamespace: valueOf(mnt),
      heldNamespaces: targets.filter((target) => target.startsWith('net:[')),
    },
  };
}
