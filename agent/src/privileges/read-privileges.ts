import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { capabilityNames } from './capability-names.ts';
import type { Privileges, ProcessKind } from './expected.ts';

/** Units by kind of process; an instance has more behind the `@`. */
const UNITS: Readonly<Record<ProcessKind, RegExp>> = {
  courier: /\/modfleet-agent\.service$/m,
  helper: /\/modfleet-helper@[^/]*\.service$/m,
  evidence: /\/modfleet-evidence@[^/]*\.service$/m,
};

/** File systems of the kernel itself: what may be written there the capabilities decide. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<string> = new Set([
  'proc',
  'sysfs',
  'devtmpfs',
  'devpts',
  'mqueue',
  'hugetlbfs',
  'cgroup',
  'cgroup2',
  'securityfs',
  'efivarfs',
  'debugfs',
  'tracefs',
  'configfs',
  'bpf',
  'pstore',
  'fusectl',
  'binfmt_misc',
  'autofs',
  'ramfs',
]);

/** Process ids of a unit's processes, by their cgroup. */
export async function processesOf(files: HostFiles, kind: ProcessKind): Promise<string[]> {
  const pids = (valueOf(await files.list('/proc')) ?? []).map(({ name }) => name).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => UNITS[kind].test(valueOf(await files.readText(`/proc/${pid}/cgroup`)) ?? '')),
  );
  return pids.filter((_, index) => found[index]);
}

/** What the kernel says of a process; undefined when it may not be asked, or the process is gone. */
export async function readPrivileges(files: HostFiles, pid: string): Promise<Privileges | undefined> {
  const status = valueOf(await files.readText(`/proc/${pid}/status`));
  const mounts = valueOf(await files.readText(`/proc/${pid}/mountinfo`));
  return status === undefined || mounts === undefined ? undefined : privilegesOf(status, mounts);
}

/** From /proc/PID/status and /proc/PID/mountinfo (proc(5)). Pure. */
export function privilegesOf(status: string, mountinfo: string): Privileges {
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return {
    isRoot: field('Uid') === '0',
    capabilities: capabilityNames(BigInt(`0x${field('CapBnd') || 'ffffffffffffffff'}`)),
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: field('Seccomp') === '2',
    writable: writableMounts(mountinfo),
  };
}

/** Mount points that can be written; where one is mounted over another, the upper counts. */
function writableMounts(mountinfo: string): string[] {
  const top = new Map<string, boolean>();
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const [point, options] = [fields[4], fields[5]];
    const type = fields[fields.indexOf('-') + 1];
    if (point === undefined || options === undefined || type === undefined) continue;
    top.set(point, options.split(',').includes('rw') && !KERNEL_FILE_SYSTEMS.has(type));
  }
  return [...top]
    .filter(([, isWritable]) => isWritable)
    .map(([point]) => point)
    .sort();
}
