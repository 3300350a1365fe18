import { spawn } from 'node:child_process';
import { isSea } from 'node:sea';
import { entryFile } from './program-files.ts';
import { PROGRAM_ENVIRONMENT } from './programs.ts';

/** A run of the agent by itself that did not end well. */
export class SelfExecError extends Error {
  readonly code = 'self_exec_failed';
  constructor(reason: string) {
    super(reason);
    this.name = 'SelfExecError';
  }
}

/** Limits of one run: time in ms, output in bytes. */
export interface SelfExecLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * Starts the agent's program once more with other arguments and returns what it wrote on stdout. For work that needs much memory or CPU for a short
 * time: a Node process does not give back the heap that it once had, a child's goes with it.
 *
 * @throws SelfExecError with the end of the child's stderr when it fails, says too much, or passes its time limit (it is killed then).
 */
export function runSelf(args: readonly string[], limits: SelfExecLimits): Promise<Uint8Array> {
  const own = isSea() ? [] : [entryFile('agent')];
  const child = spawn(process.execPath, [...own, ...args], {
    env: PROGRAM_ENVIRONMENT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  return new Promise<Uint8Array>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let complaint = '';
    let failure: string | undefined;
    const stop = (reason: string): void => {
      failure ??= reason;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`no end after ${limits.timeoutMs} ms`), limits.timeoutMs);
    child.stdout.on('data', (data: Buffer) => {
      bytes += data.length;
      if (bytes > limits.maxBytes) stop(`more than ${limits.maxBytes} bytes of output`);
      else chunks.push(data);
    });
    child.stderr.on('data', (data: Buffer) => (complaint = (complaint + data.toString('utf8')).slice(-2_000)));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new SelfExecError(`${process.execPath}: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 && failure === undefined) resolve(Buffer.concat(chunks, bytes));
      else reject(new SelfExecError(failure ?? `ended with ${signal ?? `exit ${code ?? -1}`}: ${complaint.trim()}`));
    });
  }).finally(() => process.off('exit', killAtExit));
}
