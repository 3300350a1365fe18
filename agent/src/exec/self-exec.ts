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

/** One run. */
export interface SelfExecOptions {
  readonly timeoutMs: number;
  /** Most that it may write on stdout. */
  readonly maxBytes: number;
  /** What it reads on stdin: the way for a secret, as other users can see arguments. Empty when left out. */
  readonly input?: string;
  /** Started in place of the agent's program, by tests. */
  readonly program?: readonly [file: string, ...args: string[]];
}

/**
 * Starts the agent's program once more with other arguments and returns what it wrote on stdout. For work that needs much memory or CPU for a short
 * time: a Node process does not give back the heap that it once had, a child's goes with it.
 *
 * @throws SelfExecError with the end of the child's stderr when it fails, says too much, or passes its time limit (it is killed then).
 */
export function runSelf(args: readonly string[], options: SelfExecOptions): Promise<Uint8Array> {
  const { timeoutMs, maxBytes, input } = options;
  const [file, ...own] = options.program ?? [process.execPath, ...(isSea() ? [] : [entryFile('agent')])];
  const child = spawn(file, [...own, ...args], { env: PROGRAM_ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] });
  // A child that ends before it has read everything says why itself.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
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
    const timer = setTimeout(() => stop(`no end after ${timeoutMs} ms`), timeoutMs);
    child.stdout.on('data', (data: Buffer) => {
      bytes += data.length;
      if (bytes > maxBytes) stop(`more than ${maxBytes} bytes of output`);
      else chunks.push(data);
    });
    child.stderr.on('data', (data: Buffer) => (complaint = (complaint + data.toString('utf8')).slice(-2_000)));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new SelfExecError(`${file}: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 && failure === undefined) resolve(Buffer.concat(chunks, bytes));
      else reject(new SelfExecError(failure ?? `ended with ${signal ?? `exit ${code ?? -1}`}: ${complaint.trim()}`));
    });
  }).finally(() => process.off('exit', killAtExit));
}
