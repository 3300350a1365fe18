import { readFileSync } from 'node:fs';

/** What a process needs besides its hosts: the database, callers of the API, logs, libraries. */
const OTHERS = 600;

/** How many files this process may have open; Node.js raises the soft limit to the hard one as it starts. Undefined: nobody can tell. */
export function openFilesLimit(): number | undefined {
  try {
    return limitIn(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return undefined;
  }
}

/** The soft limit in /proc/PID/limits (proc_pid_limits(5)); undefined: unlimited, or not there. */
export function limitIn(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}

/** Connections of hosts that fit, of those that are wanted. */
export function connectionsThatFit(wanted: number, openFiles: number | undefined): number {
  return openFiles === undefined ? wanted : Math.max(1, Math.min(wanted, openFiles - OTHERS));
}
