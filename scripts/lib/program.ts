import { spawn } from 'node:child_process';
import { repository } from './paths.ts';

/** How a program ended, and the end of what it wrote. */
export interface ProgramEnd {
  readonly status: number;
  readonly output: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Shows what it writes while it runs, too. */
  readonly show?: boolean;
  /** Before each line shown: for programs that run side by side. */
  readonly showPrefix?: string;
}

const KEPT_CHARACTERS = 200_000;

/** Runs a program to its end; never throws, a program that cannot start has status 127. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramEnd> {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? repository,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (target: NodeJS.WriteStream) => {
      const shown = options.show === true ? shower(target, options.showPrefix) : undefined;
      return (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-KEPT_CHARACTERS);
        shown?.(chunk.toString());
      };
    };
    child.stdout.on('data', keep(process.stdout));
    child.stderr.on('data', keep(process.stderr));
    child.once('error', (error) => done({ status: 127, output: error.message }));
    child.once('close', (status) => done({ status: status ?? 1, output }));
  });
}

/** Without a prefix text goes through as it comes; with one, in whole lines. */
function shower(target: NodeJS.WriteStream, prefix: string | undefined): (text: string) => void {
  if (prefix === undefined) return (text) => void target.write(text);
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) target.write(`${prefix}${line}\n`);
  };
}

/** A root script's end: the message is what a person reads, one sentence with the way out. */
export class ScriptError extends Error {}

/** Runs a root script's main function; a ScriptError ends it with its sentence, anything else with a stack. */
export async function runMain(main: () => Promise<number | void>): Promise<void> {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    const known =
      error instanceof ScriptError || (error instanceof Error && error.constructor.name === 'EmbeddedPostgresError');
    console.error(known ? `modfleet: ${error.message}` : error);
    process.exitCode = 1;
  }
}
