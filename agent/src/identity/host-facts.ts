import { machine } from 'node:os';
import { type HostFacts, JournalState } from '@modfleet/proto';
import type { AgentConfig } from '../config/agent-config.ts';
import { containerKind } from '../facets/host-kind.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { AGENT_VERSION } from '../version.ts';

/** os-release IDs whose versions compare as rpm's do; all relatives of Debian compare as dpkg's. */
const RPM_FAMILIES: ReadonlySet<string> = new Set([
  'rhel',
  'fedora',
  'centos',
  'suse',
  'opensuse',
  'sles',
  'rocky',
  'almalinux',
  'ol',
  'amzn',
]);
const DEB_FAMILIES: ReadonlySet<string> = new Set(['debian', 'ubuntu']);

/** What this machine says of itself. What cannot be read is empty: facts never stand in the way of a connection. */
export async function readHostFacts(
  files: HostFiles,
  config: Pick<AgentConfig, 'mode' | 'policy' | 'root'>,
): Promise<HostFacts> {
  const line = async (path: string): Promise<string> => valueOf(await files.readText(path))?.trim() ?? '';
  const release = await osRelease(files);
  const family = [release['ID'] ?? '', ...(release['ID_LIKE'] ?? '').split(/\s+/)];
  return {
    hostname: await hostName(line, config.root),
    machineId: await line('/etc/machine-id'),
    bootId: await line('/proc/sys/kernel/random/boot_id'),
    kernelRelease: await line('/proc/sys/kernel/osrelease'),
    kernelVersion: await line('/proc/sys/kernel/version'),
    // The file exists since Linux 6.1; before, this process's own view is the same.
    architecture: (await line('/proc/sys/kernel/arch')) || machine(),
    osId: release['ID'] ?? '',
    osVersionId: release['VERSION_ID'] ?? '',
    osPrettyName: release['PRETTY_NAME'] ?? '',
    packageFamily: family.some((id) => DEB_FAMILIES.has(id))
      ? 'deb'
      : family.some((id) => RPM_FAMILIES.has(id))
        ? 'rpm'
        : '',
    agentVersion: AGENT_VERSION,
    mode: config.mode,
    policy: {
      allow: [...config.policy.allow],
      deny: [...config.policy.deny],
      protected: [...config.policy.protected],
      window: [...config.policy.window],
      windowLimitSeconds: config.policy.window_limit,
    },
    virtualization: (await containerKind(files)) ?? '',
    journal: JournalState.JOURNAL_STATE_UNSPECIFIED,
  };
}

/**
 * The kernel answers the name of the one who reads: a container that looks at the machine's files below `root` has a name of its own there, and
 * another one each time that it is made.
 */
async function hostName(line: (path: string) => Promise<string>, root: string): Promise<string> {
  const [kernel, file] = [await line('/proc/sys/kernel/hostname'), await line('/etc/hostname')];
  return (root === '/' ? kernel || file : file || kernel).split('\n', 1)[0] ?? '';
}

/** os-release(5): shell-like assignments; the first file that exists counts. */
async function osRelease(files: HostFiles): Promise<Record<string, string>> {
  const text =
    valueOf(await files.readText('/etc/os-release')) ?? valueOf(await files.readText('/usr/lib/os-release')) ?? '';
  return Object.fromEntries(
    [...text.matchAll(/^(?<key>[A-Z0-9_]+)=(?<value>.*)$/gm)].map(({ groups }) => [
      groups?.['key'] ?? '',
      unquote(groups?.['value'] ?? ''),
    ]),
  );
}

function unquote(text: string): string {
  const quoted = /^(["'])(?<inner>.*)\1\s*$/.exec(text.trim());
  return quoted?.groups?.['inner'] === undefined ? text.trim() : quoted.groups['inner'].replaceAll(/\\(.)/g, '$1');
}
