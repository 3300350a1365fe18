import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Exec, ExecResult, ExecStream, ProgramName, StreamOptions } from './exec.ts';
import { LineSplitter } from './line-splitter.ts';
import { PROGRAM_ENVIRONMENT, PROGRAM_FOLDERS } from './programs.ts';
import { shapeOf, undeclaredVector } from './vectors.ts';

/** Enough for every answer that we read; a program that says more is cut, not waited for. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** How long a killed program may take to die before it is called stuck inside the kernel. */
const REAP_MS = 1_000;

/** How a test names programs of its own. */
export interface NodeExecOptions {
  readonly folders?: readonly string[];
  /** Lets every vector pass: for tests of the running itself. */
  readonly anyVector?: boolean;
}

/**
 * Runs declared programs of this machine.
 *
 * INVARIANTS
 * - Only a name of `ProgramName`, found in a fixed folder, with a vector that `vectors.ts` declares; no shell, no inherited environment, no
 *   stdin but the one that `stream` is given.
 * - `run` always ends: at the time limit the program's whole process group is killed, and a program that does not even die of SIGKILL
 *   (it hangs inside the kernel) is left behind and reported as `reaped: false`.
 * - A program of `run` is a process group of its own: a signal to the agent's group does not cut a kmod's load in half.
 */
export class NodeExec implements Exec {
  readonly #folders: readonly string[];
  readonly #anyVector: boolean;

  constructor(options: NodeExecOptions = {}) {
    this.#folders = options.folders ?? PROGRAM_FOLDERS;
    this.#anyVector = options.anyVector ?? false;
  }

  find(program: ProgramName): string | undefined {
    return this.#folders.map((folder) => `${folder}/${program}`).find(isExecutable);
  }

  run(
    program: ProgramName,
    args: readonly string[],
    options: { readonly timeoutMs: number; readonly maxOutputBytes?: number },
  ): Promise<ExecResult> {
    const started = performance.now();
    if (!this.#declares(program, args)) return Promise.resolve(notStarted(undeclaredVector(program, args), started));
    const file = this.find(program);
    if (file === undefined) return Promise.resolve(notStarted(`${program} is not installed`, started));
    const limit = options.maxOutputBytes ?? MAX_OUTPUT_BYTES;
    return new Promise((resolve) => {
      const child = spawn(file, args, { env: PROGRAM_ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
      const stdout = new Capture(limit);
      const stderr = new Capture(limit);
      let timedOut = false;
      let reap: NodeJS.Timeout | undefined;
      const finish = (ended: ExecResult['ended']): void => {
        clearTimeout(timer);
        clearTimeout(reap);
        resolve({ ended, stdout: stdout.text(), stderr: stderr.text(), durationMs: performance.now() - started });
      };
      const timer = setTimeout(() => {
        timedOut = true;
        killGroup(child.pid);
        reap = setTimeout(() => {
          // The process hangs inside the kernel: let go of it, so that it does not keep the agent from ending.
          child.stdout.destroy();
          child.stderr.destroy();
          child.unref();
          finish({ kind: 'timed_out', reaped: false });
        }, REAP_MS);
      }, options.timeoutMs);
      child.stdout.on('data', (data: Buffer) => stdout.add(data));
      child.stderr.on('data', (data: Buffer) => stderr.add(data));
      child.once('error', (error) => finish({ kind: 'not_started', reason: `${file}: ${error.message}` }));
      child.once('close', (code, signal) => {
        if (timedOut) finish({ kind: 'timed_out', reaped: true });
        else if (signal !== null) finish({ kind: 'signalled', signal });
        else finish({ kind: 'exited', code: code ?? -1 });
      });
    });
  }

  stream(program: ProgramName, args: readonly string[], options: StreamOptions = {}): ExecStream {
    if (!this.#declares(program, args)) return endedStream(undeclaredVector(program, args));
    const file = this.find(program);
    return file === undefined ? endedStream(`${program} is not installed`) : runningStream(file, args, options);
  }

  #declares(program: ProgramName, args: readonly string[]): boolean {
    return this.#anyVector || shapeOf(program, args) !== undefined;
  }
}

/** Runs nothing: for captured root trees, where no program of this machine could speak for the host. */
export class NoExec implements Exec {
  find(): undefined {
    return undefined;
  }
  run(program: ProgramName): Promise<ExecResult> {
    return Promise.resolve(notStarted(`${program} is not run on a captured root tree`, performance.now()));
  }
  stream(program: ProgramName): ExecStream {
    return endedStream(`${program} is not run on a captured root tree`);
  }
}

function runningStream(file: string, args: readonly string[], { stdin, lineEnd }: StreamOptions): ExecStream {
  const child = spawn(file, args, {
    env: PROGRAM_ENVIRONMENT,
    stdio: [stdin ?? 'ignore', 'pipe', 'ignore'],
    // What ends with its pipe need not hear signals to this group.
    detached: stdin === 'pipe',
  });
  // A program that has ended reads no more; its end is told by `onEnd`.
  child.stdin?.on('error', () => undefined);
  const lines = new LineSplitter(lineEnd);
  const lineListeners: ((line: string) => void)[] = [];
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    for (const line of lines.push(piece)) for (const listener of lineListeners) listener(line);
  });
  // A stream may not outlive the agent where the agent can still say so; one that reads from it ends with the pipe.
  const killAtExit = (): void => void child.kill('SIGKILL');
  if (stdin !== 'pipe') process.once('exit', killAtExit);
  let ended: { readonly why: string; readonly code: number | undefined } | undefined;
  const endListeners: ((why: string, code?: number) => void)[] = [];
  const end = (why: string, code?: number): void => {
    if (ended !== undefined) return;
    ended = { why, code };
    process.off('exit', killAtExit);
    for (const listener of endListeners) listener(why, code);
  };
  child.once('error', (error) => end(`${file}: ${error.message}`));
  child.once('close', (code, signal) =>
    end(`${file} ended: ${signal === null ? `exit ${code ?? -1}` : signal}`, code ?? undefined),
  );
  return {
    onLine: (listener) => void lineListeners.push(listener),
    onEnd: (listener) => {
      if (ended === undefined) endListeners.push(listener);
      else queueMicrotask(() => listener(ended?.why ?? '', ended?.code));
    },
    say: (line) => void child.stdin?.write(`${line}\n`),
    close: () => void child.stdin?.end(),
    stop: () => {
      child.stdin?.destroy();
      child.kill('SIGKILL');
    },
  };
}

/** A program that did not start. */
export function endedStream(why: string): ExecStream {
  return {
    onLine: () => undefined,
    onEnd: (listener) => queueMicrotask(() => listener(why)),
    say: () => undefined,
    close: () => undefined,
    stop: () => undefined,
  };
}

function notStarted(reason: string, started: number): ExecResult {
  return { ended: { kind: 'not_started', reason }, stdout: '', stderr: '', durationMs: performance.now() - started };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone between the time limit and the kill.
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first bytes of an output, up to a limit. */
class Capture {
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(data: Buffer): void {
    const kept = data.subarray(0, this.#limit - this.#size);
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#size += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
