import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error-words.ts';
import { HELPER_SOCKETS } from '../helper/wire/protocol.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { EXPECTED, privilegeProblems, type Privileges, type ProcessKind } from './expected.ts';
import { processesOf, readPrivileges } from './read-privileges.ts';

/** systemd starts a helper in milliseconds; an emulated machine under load takes seconds. */
const START_WITHIN_MS = 20_000;

const LOOK_EVERY_MS = 50;

/** What one process may do, or why that was not seen. */
export interface ProcessLook {
  readonly kind: ProcessKind;
  readonly seen: Privileges | undefined;
  /** Differences from the list in expected.ts, or why nothing could be seen. */
  readonly problems: readonly string[];
}

/** Looks at the resident process and, by calling each once, at the helpers. As root; others see less. */
export async function lookAtProcesses(files: HostFiles): Promise<ProcessLook[]> {
  return [
    await look(files, 'courier', 'modfleet-agent.service does not run'),
    await withHelper(files, 'helper', HELPER_SOCKETS.act),
    await withHelper(files, 'evidence', HELPER_SOCKETS.evidence),
  ];
}

/** Connects, which starts a helper, looks at it, and says nothing to it. */
async function withHelper(files: HostFiles, kind: ProcessKind, path: string): Promise<ProcessLook> {
  const socket = connect(path);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    const until = performance.now() + START_WITHIN_MS;
    for (;;) {
      const found = await look(files, kind, 'it did not start');
      if (found.seen !== undefined || performance.now() > until) return found;
      await delay(LOOK_EVERY_MS);
    }
  } catch (error) {
    const why = messageOf(error);
    return { kind, seen: undefined, problems: [`it cannot be called: ${why}`] };
  } finally {
    socket.destroy();
  }
}

async function look(files: HostFiles, kind: ProcessKind, otherwise: string): Promise<ProcessLook> {
  const running: string[] = [];
  // Between fork and exec a process still is systemd's, with systemd's rights.
  for (const pid of await processesOf(files, kind)) {
    const words = (valueOf(await files.readText(`/proc/${pid}/cmdline`)) ?? '').split('\0');
    if (words.some((word) => /\/(resident|agent|helper)\.mjs$/.test(word))) running.push(pid);
  }
  const [pid] = running;
  if (pid === undefined) return { kind, seen: undefined, problems: [otherwise] };
  const seen = await readPrivileges(files, pid);
  if (seen === undefined) return { kind, seen, problems: ['what it may do is not visible without root'] };
  return { kind, seen, problems: privilegeProblems(seen, EXPECTED[kind]) };
}
