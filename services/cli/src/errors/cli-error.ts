import { EXIT, type ExitCode } from './exit-codes.ts';

/** An end of a command that has a sentence, a way out and an exit code. `main` prints it; nothing else does. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** What to do next: one line each, best first. */
  readonly hints: readonly string[];
  /** Lines printed as they are between the sentence and the hints (a selector with a caret below it). */
  readonly details: readonly string[];

  constructor(
    message: string,
    options: { exitCode: ExitCode; hints?: readonly string[]; details?: readonly string[]; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = options.exitCode;
    this.hints = options.hints ?? [];
    this.details = options.details ?? [];
  }
}

/** Bad input that was seen before anything was sent: exit code 2. */
export function usageError(message: string, ...hints: string[]): CliError {
  return new CliError(message, { exitCode: EXIT.usage, hints });
}
