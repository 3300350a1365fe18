import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { PROGRAM_ENVIRONMENT } from './programs.ts';

/** How this very program is started once more: Node.js and its entry, or the single executable. Absolute paths. */
export function ownProgram(): string[] {
  const [entry] = process.argv.slice(1);
  return isSea() || entry === undefined ? [process.execPath] : [process.execPath, entry];
}

/**
 * Starts this program in a session of its own (setsid(2)) and lets go of it: no signal to this process group, no end of this process reaches it.
 * Its process id; undefined when it could not be started.
 */
export function startDetached(args: readonly string[]): number | undefined {
  const [program = process.execPath, ...own] = ownProgram();
  const child = spawn(program, [...own, ...args], { env: PROGRAM_ENVIRONMENT, stdio: 'ignore', detached: true });
  child.once('error', () => undefined);
  child.unref();
  return child.pid;
}
