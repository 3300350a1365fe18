import type { Command } from 'commander';

/** The deepest command that the words name. */
export function commandAt(program: Command, argv: readonly string[]): Command {
  let command = program;
  for (const word of argv) {
    const next = command.commands.find((each) => each.name() === word || each.aliases().includes(word));
    if (next !== undefined) command = next;
    else if (!word.startsWith('-')) break;
  }
  return command;
}

/** "modfleet kmods hosts". */
export function commandPath(command: Command): string {
  return command.parent ? `${commandPath(command.parent)} ${command.name()}` : command.name();
}
