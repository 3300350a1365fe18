import { spawn } from 'node:child_process';

/** A command as somebody types it. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How it went, from its start to its end. */
export interface TimedEnd {
  readonly wallMs: number;
  /** Processor time of the process and of all below it that it waited for. */
  readonly cpuMs: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** bash's own `time` knows milliseconds and what the children used (getrusage), and is on every machine; its figures go to a stream of their own. */
const TIMED = `exec 4>&2; TIMEFORMAT='%3R %3U %3S'; { time "$@" 2>&4 3>&- 4>&-; } 2>&3`;

/** @throws Error when it could not be timed; how it ends is for the caller to see in what it printed */
export function timedRun({ program, args, env }: Command): Promise<TimedEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', TIMED, 'bash', program, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const printed = { stdout: '', stderr: '', times: '' };
    for (const [stream, name] of [
      [1, 'stdout'],
      [2, 'stderr'],
      [3, 'times'],
    ] as const)
      child.stdio[stream]?.on('data', (chunk: Buffer) => (printed[name] += chunk.toString()));
    child.once('error', reject);
    child.once('close', () => {
      const { stdout, stderr, times } = printed;
      const [wall = NaN, user = NaN, system = NaN] = times.trim().split(/\s+/).map(Number);
      if (Number.isNaN(wall + user + system)) reject(new Error(`${program} was not timed: ${times}${stderr}`));
      else resolve({ wallMs: wall * 1_000, cpuMs: (user + system) * 1_000, stdout, stderr });
    });
  });
}
