import { type Command, CommanderError } from 'commander';

const UNKNOWN = 'commander.unknownOption';

/** Errors that commander tells before it has looked for options that the command has not: a misspelt option is often why. */
const TOLD_TOO_EARLY: readonly string[] = ['commander.missingMandatoryOptionValue', 'commander.conflictingOption'];

/**
 * The error to tell: that an option is unknown, with what may be meant, where that is so; else the one that was met.
 *
 * @param harmless makes programs like the one that was parsed, whose commands do nothing.
 */
export async function unknownOptionFirst(
  met: CommanderError,
  harmless: () => Command,
  argv: readonly string[],
): Promise<CommanderError> {
  const isEarly = TOLD_TOO_EARLY.includes(met.code);
  const found = isEarly ? await unknownOption(harmless(), argv) : met;
  if (found?.code !== UNKNOWN) return met;
  // Of "--hots=web-1" commander looks for what is like all of it.
  const whole = argv.find((word) => /^--[^=]+=/.test(word) && found.message.includes(`'${word}'`));
  if (whole === undefined) return found;
  const cut = argv.map((word) => (word === whole ? word.slice(0, word.indexOf('=')) : word));
  return (await unknownOption(harmless(), cut)) ?? found;
}

async function unknownOption(program: Command, argv: readonly string[]): Promise<CommanderError | undefined> {
  for (const command of everyCommand(program)) for (const option of command.options) waive(option);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.code === UNKNOWN) return error;
  }
  return undefined;
}

/** Whatever is missing or does not go together is told before unknown options. */
function waive(option: Command['options'][number]): void {
  option.mandatory = false;
  Object.assign(option, { conflictsWith: [] });
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
