import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { valueOf, whyUnreadable } from '../host/read-outcome.ts';
import { PROC_MODULES } from '../kmod/proc-modules.ts';

/** Files that container engines leave inside, and what each says. */
const CONTAINER_MARKS = [
  ['/.dockerenv', 'docker'],
  ['/run/.containerenv', 'podman'],
  ['/var/run/secrets/kubernetes.io', 'kubernetes'],
] as const;

/** The machine's first PID namespace has a fixed inode (include/linux/proc_ns.h: PROC_PID_INIT_INO). */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

/**
 * The kind of container whose files are seen below the root, or undefined. A container's /etc and /lib are not the host's, while its /proc
 * and /sys show the host's kernel.
 */
export async function containerKind(files: HostFiles): Promise<string | undefined> {
  const kind = await markedKind(files);
  return kind === undefined || (await isMachineItself(files)) ? undefined : kind;
}

async function markedKind(files: HostFiles): Promise<string | undefined> {
  const systemd = valueOf(await files.readText('/run/systemd/container'))?.trim();
  if (systemd !== undefined && systemd !== '') return systemd;
  for (const [mark, kind] of CONTAINER_MARKS) {
    if ((await files.stat(mark)).kind === 'ok') return kind;
  }
  return /(?:^|\0)container=([^\0]+)/.exec(valueOf(await files.readText('/proc/1/environ')) ?? '')?.[1];
}

/**
 * Marks are also left in machines whose disk was made from a container image. The machine itself: the first PID namespace, and the mounts of
 * process 1; where those may not be seen, a root that no container engine stacks.
 */
async function isMachineItself(files: HostFiles): Promise<boolean> {
  if (valueOf(await files.readLink('/proc/self/ns/pid')) !== FIRST_PID_NAMESPACE) return false;
  const ours = valueOf(await files.readLink('/proc/self/ns/mnt'));
  const theirs = valueOf(await files.readLink('/proc/1/ns/mnt'));
  const rootMount = await rootMountOf(files, 'self');
  // A service of this machine may have mounts of its own (systemd's ProtectSystem); its root is still the machine's.
  if (theirs !== undefined) {
    const whole = (line: string | undefined): string | undefined => line?.split(' ').slice(2, 4).join(' ');
    return ours === theirs || (rootMount !== undefined && whole(rootMount) === whole(await rootMountOf(files, '1')));
  }
  return rootMount !== undefined && !/ - (?:overlay|aufs|fuse\S*) /.test(rootMount);
}

/** The line of mountinfo (proc_pid_mountinfo(5)) for `/`: fields 3 and 4 are device and root. */
async function rootMountOf(files: HostFiles, pid: string): Promise<string | undefined> {
  return valueOf(await files.readText(`/proc/${pid}/mountinfo`))
    ?.split('\n')
    .findLast((line) => line.split(' ')[4] === '/');
}

/** Why the loaded kmods cannot be told, in words for people. */
export async function whyNoLoadedKmods(
  files: HostFiles,
  outcome: Exclude<ReadOutcome<unknown>, { kind: 'ok' }>,
): Promise<string> {
  if (outcome.kind !== 'not_found') {
    return outcome.kind === 'error' && outcome.errno === 'EBADMSG'
      ? outcome.message
      : whyUnreadable(PROC_MODULES, outcome);
  }
  if ((await files.stat('/proc/version')).kind !== 'ok') return '/proc is not mounted here';
  return `this kernel has no loadable kmods: ${PROC_MODULES} does not exist`;
}
