import type { Exec, ExecResult, ExecStream, ProgramName, StreamOptions } from './exec.ts';
import { endedStream } from './node-exec.ts';
import { shapeOf } from './vectors.ts';

/** A door through which only vectors pass that change nothing: for whoever looks and must not act. */
export class ReadOnlyExec implements Exec {
  readonly #exec: Exec;

  constructor(exec: Exec) {
    this.#exec = exec;
  }

  find(program: ProgramName): string | undefined {
    return this.#exec.find(program);
  }

  run(
    program: ProgramName,
    args: readonly string[],
    options: { readonly timeoutMs: number; readonly maxOutputBytes?: number },
  ): Promise<ExecResult> {
    if (shapeOf(program, args)?.effect === 'changes') {
      const reason = `${program} was not started: this process only looks`;
      return Promise.resolve({ ended: { kind: 'not_started', reason }, stdout: '', stderr: '', durationMs: 0 });
    }
    return this.#exec.run(program, args, options);
  }

  stream(program: ProgramName, args: readonly string[], options?: StreamOptions): ExecStream {
    return shapeOf(program, args)?.effect === 'changes'
      ? endedStream(`${program} was not started: this process only looks`)
      : this.#exec.stream(program, args, options);
  }
}
