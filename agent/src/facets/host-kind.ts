import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';
import { PROC_MODULES } from '../kmod/proc-modules.ts';

/** Files that container engines leave inside, and what each says. */
const CONTAINER_MARKS = [
  ['/.dockerenv', 'docker'],
  ['/run/.containerenv', 'podman'],
  ['/var/run/secrets/kubernetes.io', 'kubernetes'],
] as const;

/**
 * The kind of container whose files are seen below the root, or undefined. A container's /etc and /lib are not the host's, while its /proc
 * and /sys show the host's kernel.
 */
export async function containerKind(files: HostFiles): Promise<string | undefined> {
  const systemd = await files.readText('/run/systemd/container');
  if (systemd.kind === 'ok' && systemd.value.trim() !== '') return systemd.value.trim();
  for (const [mark, kind] of CONTAINER_MARKS) {
    if ((await files.stat(mark)).kind === 'ok') return kind;
  }
  const environment = await files.readText('/proc/1/environ');
  return environment.kind === 'ok' ? /(?:^|\0)container=([^\0]+)/.exec(environment.value)?.[1] : undefined;
}

/** Why the loaded kmods cannot be told, in words for people. */
export async function whyNoLoadedKmods(files: HostFiles, outcome: Exclude<ReadOutcome<unknown>, { kind: 'ok' }>): Promise<string> {
  if (outcome.kind !== 'not_found') {
    return outcome.kind === 'error' && outcome.errno === 'EBADMSG' ? outcome.message : whyUnreadable(PROC_MODULES, outcome);
  }
  if ((await files.stat('/proc/version')).kind !== 'ok') return '/proc is not mounted here';
  return `this kernel has no loadable kmods: ${PROC_MODULES} does not exist`;
}
