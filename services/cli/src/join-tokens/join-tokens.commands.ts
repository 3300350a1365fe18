import { Option } from 'commander';
import { allPagesOption, durationOption, jsonOption, limitOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { keyValue, uuid } from '../command-line/values.ts';
import { usageError } from '../errors/cli-error.ts';
import type { JoinTokenCreateOptions, JoinTokenListOptions, JoinTokenRevokeOptions } from './join-tokens.run.ts';

const LIFETIME = { min: 1000, max: 86_400_000 };
const MOST_USES = 100_000;

export const registerJoinTokens: Register = (program, run) => {
  const tokens = program
    .command('join-tokens')
    .helpCommand(false)
    .description('tokens by which new hosts join the fleet');

  tokens
    .command('create')
    .description('make a join token; it is shown only now')
    .addOption(new Option('--name <name>', 'what it is for'))
    .addOption(new Option('--uses <n>', 'how many hosts may join by it (default: 1)').argParser(uses))
    .addOption(durationOption('--expires-in <time>', 'how long it may be used, at most 24h (default: 30m)', LIFETIME))
    .addOption(
      new Option('--label <key=value>', 'label of the hosts that join by it; may be given several times').argParser(
        (text: string, previous?: Record<string, string>) => keyValue('--label', text, previous),
      ),
    )
    .addOption(jsonOption())
    .action((options: JoinTokenCreateOptions) =>
      run(async (context) => (await import('./join-tokens.run.ts')).joinTokenCreate(context, options)),
    );

  tokens
    .command('list')
    .description('join tokens: who made them, what is left of them')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: JoinTokenListOptions) =>
      run(async (context) => (await import('./join-tokens.run.ts')).joinTokenList(context, options)),
    );

  tokens
    .command('revoke')
    .description('make a join token worthless; hosts that joined by it stay')
    .argument('<id>', 'id of the join token', (text: string) => uuid('a join token', text, 'modfleet join-tokens list'))
    .addOption(jsonOption())
    .action((id: string, options: JoinTokenRevokeOptions) =>
      run(async (context) => (await import('./join-tokens.run.ts')).joinTokenRevoke(context, id, options)),
    );
};

function uses(text: string): number {
  const n = /^[0-9]{1,6}$/.test(text) ? Number(text) : NaN;
  if (!(n >= 1 && n <= MOST_USES))
    throw usageError(`--uses takes a whole number from 1 to ${MOST_USES}, not ${JSON.stringify(text.slice(0, 32))}`);
  return n;
}
