import { readFileSync } from 'node:fs';
import { ScriptError } from '../../scripts/lib/program.ts';

/** What a process of the swarm needs besides a connection a host, and for joins under way. */
const OTHERS = 300;

/** @throws ScriptError when the hosts of one process need more open files than it may have (proc_pid_limits(5)). */
export function requireOpenFiles(hosts: number, processes: number): void {
  const limit = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const needed = Math.ceil(hosts / processes) + OTHERS;
  if (limit === undefined || needed <= Number(limit)) return;
  throw new ScriptError(
    `${hosts} hosts over ${processes} processes need ${needed} open files each, and ${limit} are allowed: spread them over more processes (--processes), or raise the limit (ulimit -n).`,
  );
}
