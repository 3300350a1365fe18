import { ScriptError } from '../../scripts/lib/program.ts';
import { openFilesLimit } from '../../services/server/src/agent-session/open-files.ts';

/** What a process of the swarm needs besides a connection a host, and for joins under way. */
const OTHERS = 300;

/** @throws ScriptError when the hosts of one process need more open files than it may have. Workers may have as many as this process. */
export function requireOpenFiles(hosts: number, processes: number): void {
  const limit = openFilesLimit();
  const needed = Math.ceil(hosts / processes) + OTHERS;
  if (limit === undefined || needed <= limit) return;
  throw new ScriptError(
    `${hosts} hosts over ${processes} processes need ${needed} open files each, and ${limit} are allowed: spread them over more processes (--processes), or raise the limit (ulimit -n).`,
  );
}
