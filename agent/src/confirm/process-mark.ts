import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import type { ProcessMark } from './window-plan.ts';

/** What tells a process from a later one with its number; undefined when it is gone. */
export async function markOf(files: HostFiles, pid: number): Promise<ProcessMark | undefined> {
  const stat = valueOf(await files.readText(`/proc/${pid}/stat`));
  // The name in parentheses may hold blanks and parentheses (proc_pid_stat(5)); the start time is the 20th field after it.
  const startTicks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** Whether this very process still runs. */
export async function isAlive(files: HostFiles, mark: ProcessMark): Promise<boolean> {
  return (await markOf(files, mark.pid))?.startTicks === mark.startTicks;
}
