import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (sysconf(_SC_CLK_TCK) on every common platform). */
const TICK_MS = 10;

/**
 * CPU that PostgreSQL and this process have used so far, ms. What others do on the machine changes it little, whereas it may multiply every waiting time.
 *
 * @param postmaster process id of the PostgreSQL server; its own children are its backends.
 */
export function cpuMs(postmaster: number): number {
  const { user, system } = process.cpuUsage();
  let ticks = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(name);
    if (stat === undefined) continue;
    // Fields behind the name in brackets: state, ppid, … utime is field 14 of proc_pid_stat(5), stime 15, cutime 16, cstime 17.
    const [, parent, , , , , , , , , , utime, stime, cutime, cstime] = stat.split(' ').map(Number);
    if (parent === postmaster) ticks += (utime ?? 0) + (stime ?? 0);
    // Parallel workers end with their statement: their parent has their time then.
    if (Number(name) === postmaster) ticks += (cutime ?? 0) + (cstime ?? 0);
  }
  return (user + system) / 1_000 + ticks * TICK_MS;
}

function statOf(pid: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2);
  } catch {
    return undefined;
  }
}
