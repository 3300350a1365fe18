import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { PROGRAM_ENVIRONMENT } from './programs.ts';

/**
 * Starts the helper's program as a child, for machines without systemd. It is a process group of its own and outlives the agent until what it
 * began has ended: a signal to the agent does not cut a kmod's load in half. Its log goes where the agent's goes. What is returned reads its stdout
 * and writes its stdin, and fails when it cannot be started.
 *
 * @param compileCache Where Node.js keeps what it compiled of the program; a folder that cannot be written is passed over.
 */
export function startHelperChild(entry: string, args: readonly string[], compileCache?: string): Duplex {
  // As in packaging/modfleet-helper: threads for the garbage of a few seconds cost more than they give.
  const child = spawn(process.execPath, ['--v8-pool-size=0', entry, ...args], {
    env: { ...PROGRAM_ENVIRONMENT, ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }) },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.once('error', (error) => stream.destroy(error));
  // The agent ends when it is told to, whatever the helper still does.
  child.unref();
  return stream;
}
