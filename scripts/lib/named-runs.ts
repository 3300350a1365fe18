import { build } from './make.ts';
import { ScriptError } from './program.ts';

/** Something that `npm run bench` or `npm run proof` runs by name. */
export interface NamedRun {
  readonly about: string;
  /** Gives the exit status: 0 when everything holds. */
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** Runs what the first argument names, on what is compiled from the sources as they are; without one, lists what there is. */
export async function runByName(
  script: string,
  known: Readonly<Record<string, NamedRun>>,
  args: readonly string[],
): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(`npm run ${script} -- NAME\n`);
    for (const [one, { about }] of Object.entries(known)) console.log(`  ${one.padEnd(14)}${about}`);
    return 0;
  }
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (found !== undefined && rest.some((word) => word === '--help' || word === '-h')) {
    console.log(`npm run ${script} -- ${name}: ${found.about}`);
    return 0;
  }
  if (found === undefined)
    throw new ScriptError(`no ${script} is called "${name}"; there is: ${Object.keys(known).join(', ')}.`);
  // What a run started is ended by its exit handlers, which a signal alone would not call.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  try {
    await build();
    return await found.run(rest);
  } catch (error) {
    if (isBadOption(error)) throw new ScriptError(`${error.message}. npm run ${script} -- ${name} --help names them.`);
    throw error;
  }
}

/** What node:util's parseArgs says of an option that it does not know, or that lacks its value. */
function isBadOption(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}
