import { LISTS_FOLDER } from '../host/host-writes.ts';

/** What a process of an installed agent may do; compared by `modfleet-agent check` and by a test on a lab host with what the kernel says of it. */
export interface Privileges {
  /** 0: root. The courier's user has another number on every host. */
  readonly isRoot: boolean;
  /** Names of its bounding set (capabilities(7)), sorted: nothing it starts can have more. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Its system calls pass a filter (seccomp(2), mode 2). */
  readonly seccomp: boolean;
  /** Mount points that are not read-only in its mount namespace, without those of the kernel's own file systems; sorted. */
  readonly writable: readonly string[];
}

/** The three kinds of process. */
export type ProcessKind = 'courier' | 'helper' | 'evidence';

/** Own and empty for each unit (PrivateTmp), and the shared memory that every user has; nothing of the host's files. */
const SCRATCH = ['/dev/shm', '/tmp', '/var/tmp'] as const;

/** As agent/packaging sets them up. */
export const EXPECTED: Readonly<Record<ProcessKind, Privileges>> = {
  courier: {
    isRoot: false,
    capabilities: [],
    noNewPrivileges: true,
    seccomp: true,
    writable: [...SCRATCH, '/var/lib/modfleet'].sort(),
  },
  helper: {
    isRoot: true,
    capabilities: ['CAP_DAC_READ_SEARCH', 'CAP_NET_ADMIN', 'CAP_SYSLOG', 'CAP_SYS_MODULE', 'CAP_SYS_PTRACE'],
    noNewPrivileges: true,
    seccomp: true,
    // Systemd leaves out what is not there (ReadWritePaths=-…); every systemd has the folder of these lists.
    writable: [...SCRATCH, LISTS_FOLDER, '/var/cache/modfleet-helper', '/var/lib/modfleet-helper'].sort(),
  },
  evidence: {
    isRoot: true,
    capabilities: ['CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE'],
    noNewPrivileges: true,
    seccomp: true,
    writable: [...SCRATCH],
  },
};

/** Where a process has more, or other, rights than it should; empty when all is as it should be. Pure. */
export function privilegeProblems(seen: Privileges, expected: Privileges): string[] {
  const more = (what: string, ours: readonly string[], theirs: readonly string[]): string[] => [
    ...ours.filter((one) => !theirs.includes(one)).map((one) => `${what} ${one} that it should not have`),
    ...theirs.filter((one) => !ours.includes(one)).map((one) => `lacks ${what} ${one}`),
  ];
  return [
    ...(seen.isRoot === expected.isRoot ? [] : [seen.isRoot ? 'it runs as root' : 'it does not run as root']),
    ...more('capability', seen.capabilities, expected.capabilities),
    ...(expected.noNewPrivileges && !seen.noNewPrivileges ? ['it can gain privileges (NoNewPrivs is 0)'] : []),
    ...(expected.seccomp && !seen.seccomp ? ['its system calls are not filtered (Seccomp is not 2)'] : []),
    ...more('writable path', seen.writable, expected.writable),
  ];
}
