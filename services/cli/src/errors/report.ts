import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { colorsFor } from '../output/style.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** Prints an error once, with what to do next, and says the exit code. */
export function reportError(error: unknown, io: Pick<Io, 'err' | 'env'>): ExitCode {
  const colors = colorsFor(io, io.err);
  if (error instanceof CliError) {
    io.err.write(`${colors.red('modfleet:')} ${clean(error.message)}\n`);
    for (const detail of error.details) io.err.write(`${clean(detail)}\n`);
    for (const hint of error.hints) io.err.write(`  ${clean(hint)}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err.write(
    `${colors.red('modfleet:')} a fault of this command, not of your input:\n${text.split('\n').map(clean).join('\n')}\n`,
  );
  return EXIT.negative;
}
