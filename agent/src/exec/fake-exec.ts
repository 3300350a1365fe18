import type { Exec, ExecResult, ExecStream, ProgramName, StreamOptions } from './exec.ts';
import { shapeOf, undeclaredVector } from './vectors.ts';

/** A stream that a test feeds. */
export class FakeStream implements ExecStream {
  readonly program: ProgramName;
  readonly args: readonly string[];
  readonly options: StreamOptions;
  stopped = false;
  readonly #lines: ((line: string) => void)[] = [];
  readonly #ends: ((why: string, code?: number) => void)[] = [];
  /** What was said to it. */
  readonly said: string[] = [];
  /** Its standard input has ended. */
  closed = false;

  constructor(program: ProgramName, args: readonly string[], options: StreamOptions) {
    this.program = program;
    this.args = args;
    this.options = options;
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.push(listener);
  }
  onEnd(listener: (why: string, code?: number) => void): void {
    this.#ends.push(listener);
  }
  say(line: string): void {
    this.said.push(line);
  }
  close(): void {
    this.closed = true;
  }
  stop(): void {
    this.stopped = true;
  }
  write(...lines: readonly string[]): void {
    for (const line of lines) for (const listener of this.#lines) listener(line);
  }
  end(why: string, code?: number): void {
    for (const listener of this.#ends) listener(why, code);
  }
}

/** Programs that a test plays: those named are there, and say what `run` is told to say. Undeclared vectors are refused as at the real door. */
export class FakeExec implements Exec {
  readonly streams: FakeStream[] = [];
  readonly runs: { readonly program: ProgramName; readonly args: readonly string[] }[] = [];
  readonly #programs: Partial<Record<ProgramName, (args: readonly string[]) => Partial<ExecResult>>>;

  constructor(programs: Partial<Record<ProgramName, (args: readonly string[]) => Partial<ExecResult>>> = {}) {
    this.#programs = programs;
  }

  find(program: ProgramName): string | undefined {
    return this.#programs[program] === undefined ? undefined : `/usr/sbin/${program}`;
  }

  run(program: ProgramName, args: readonly string[]): Promise<ExecResult> {
    if (shapeOf(program, args) === undefined) {
      const reason = undeclaredVector(program, args);
      return Promise.resolve({ ended: { kind: 'not_started', reason }, stdout: '', stderr: '', durationMs: 0 });
    }
    this.runs.push({ program, args });
    const said = this.#programs[program]?.(args);
    const ended =
      said === undefined
        ? { kind: 'not_started' as const, reason: `${program} is not installed` }
        : { kind: 'exited' as const, code: 0 };
    return Promise.resolve({ ended, stdout: '', stderr: '', durationMs: 1, ...said });
  }

  stream(program: ProgramName, args: readonly string[], options: StreamOptions = {}): ExecStream {
    const stream = new FakeStream(program, args, options);
    this.streams.push(stream);
    return stream;
  }
}
