import { CommanderError } from 'commander';
import { messageOf } from './error-words.ts';
import { buildProgram } from './program.ts';

// A function, not top-level await: the single-file bundle may be CommonJS, which a single executable needs.
async function main(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => stop.abort());
  }
  const program = buildProgram({
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: stop.signal,
    exit: (code) => (process.exitCode = code),
  });
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
    } else {
      process.stderr.write(`modfleet-agent: ${messageOf(error)}\n`);
      process.exitCode = 1;
    }
  }
}

void main();
