import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';

/** Ends of waiting that say nothing about what was waited for. */
const LEFT: readonly number[] = [EXIT.unreachable, EXIT.interrupted, EXIT.timeout];

/**
 * The error of a command that only waited, and gave up: with what goes on without it, and how to wait again. Any other error stays as it is.
 *
 * @param what "The action goes on by itself".
 */
export function goesOn(error: unknown, what: string, hints: readonly string[]): unknown {
  if (!(error instanceof CliError) || !LEFT.includes(error.exitCode)) return error;
  return new CliError(`${error.message}. ${what}`, { exitCode: error.exitCode, hints, cause: error });
}
