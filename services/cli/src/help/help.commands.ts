import type { Command } from 'commander';
import { commandAt } from '../command-line/command-tree.ts';
import type { Register } from '../command-line/runner.ts';
import { usageError } from '../errors/cli-error.ts';
import { TOPICS } from './topics.ts';

export const registerHelp: Register = (program, run) => {
  program
    .command('help')
    .description(`help for a command or a topic (${Object.keys(TOPICS).join(', ')})`)
    .argument('[words...]', 'a command, or a topic')
    .action((words: string[]) =>
      run(async ({ io }) => {
        io.out.write(helpFor(program, words));
        return 0;
      }),
    );
};

function helpFor(program: Command, words: readonly string[]): string {
  const topic = words.length === 1 ? TOPICS[words[0] ?? ''] : undefined;
  if (topic !== undefined) return topic;
  const command = commandAt(program, words);
  const depth = words.filter((word) => !word.startsWith('-')).length;
  if (depth > 0 && (command === program || pathLength(command) < depth)) {
    throw usageError(
      `there is no command or topic ${JSON.stringify(words.join(' '))}`,
      'see all: modfleet help',
      `topics: ${Object.keys(TOPICS).join(', ')}`,
    );
  }
  return command.helpInformation();
}

function pathLength(command: Command): number {
  return command.parent ? 1 + pathLength(command.parent) : 0;
}
