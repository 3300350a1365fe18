import type { Command } from 'commander';
import { commandAt } from '../command-line/command-tree.ts';

/**
 * Words that may stand where the last of `words` stands (which may be empty or half typed): verbs, options, or a fixed set of values. Nothing
 * is asked of the server: completion must be instant and must not need a token.
 */
export function candidates(program: Command, words: readonly string[]): string[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const command = commandAt(program, before);
  const all = typed.startsWith('-') ? optionsOf(command, before) : [...verbsOf(command), ...valuesOf(command)];
  return all.filter((word) => word.startsWith(typed));
}

function verbsOf(command: Command): string[] {
  return command.commands.filter((each) => !each.name().startsWith('__')).map((each) => each.name());
}

function optionsOf(command: Command, before: readonly string[]): string[] {
  const names = command.options.filter((option) => !option.hidden).flatMap((option) => option.long ?? []);
  return [...names, '--help'].filter((name) => !before.includes(name));
}

/** Arguments whose description is the list of their values ("bash, zsh, fish"). */
function valuesOf(command: Command): string[] {
  const [first] = command.registeredArguments;
  return first && /^[a-z-]+(, [a-z-]+)+$/.test(first.description) ? first.description.split(', ') : [];
}
