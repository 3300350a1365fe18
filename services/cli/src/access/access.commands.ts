import { Option } from 'commander';
import { allPagesOption, durationOption, jsonOption, limitOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { selector, uuid } from '../command-line/values.ts';
import { usageError } from '../errors/cli-error.ts';
import type { JsonOption } from '../output/json-fields.ts';
import type { AccountCreateOptions, AccountListOptions } from './accounts.run.ts';
import type { GrantAddOptions, GrantListOptions } from './grants.run.ts';
import type { TokenCreateOptions, TokenListOptions } from './tokens.run.ts';

const LIFETIME = { min: 1000, max: 100 * 365 * 86_400_000 };
const ROLES = ['viewer', 'operator', 'approver', 'admin'];

interface Json {
  readonly json?: JsonOption;
}

export const registerAccess: Register = (program, run) => {
  program
    .command('whoami')
    .description('who you are to the server, and what you may do')
    .addOption(jsonOption())
    .action((options: Json) => run(async (context) => (await import('./whoami.run.ts')).whoami(context, options)));

  const accounts = program
    .command('accounts')
    .helpCommand(false)
    .description('people and programs that may be given rights');
  accounts
    .command('list')
    .description('accounts, by name')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: AccountListOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountList(context, options)),
    );
  accounts
    .command('create')
    .description('make an account; it may do nothing before it has a grant')
    .argument('<name>', 'its name', accountName)
    .addOption(new Option('--kind <kind>', 'what it is (default: service)').choices(['service', 'person']))
    .addOption(jsonOption())
    .action((name: string, options: AccountCreateOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountCreate(context, name, options)),
    );
  for (const verb of ['disable', 'enable'] as const)
    accounts
      .command(verb)
      .description(
        verb === 'disable'
          ? 'take all rights from an account, from the next call on; what it asked for and was not sent is not sent'
          : 'give a disabled account its rights back',
      )
      .argument('<account>', 'id or name', accountName)
      .addOption(jsonOption())
      .action((account: string, options: Json) =>
        run(async (context) => (await import('./accounts.run.ts')).accountSwitch(context, verb, account, options)),
      );

  const grants = program
    .command('grants')
    .helpCommand(false)
    .description('which account has which role, over which hosts');
  grants
    .command('list')
    .description('grants, by account')
    .option('--account <account>', 'of this account (id or name)', accountName)
    .option('--revoked', 'also those that were taken back')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: GrantListOptions) =>
      run(async (context) => (await import('./grants.run.ts')).grantList(context, options)),
    );
  grants
    .command('add')
    .description('give a role to an account; nobody gives more than they have')
    .requiredOption('--account <account>', 'who gets it (id or name)', accountName)
    .addOption(new Option('--role <role>', 'what it may do: docs/access.md').choices(ROLES).makeOptionMandatory())
    .addOption(
      new Option('--on <selector>', 'over the hosts whose labels match at the time, for example env=staging')
        .argParser(selector)
        .conflicts('all'),
    )
    .option('--all', 'over the whole fleet')
    .addOption(jsonOption())
    .action((options: GrantAddOptions) =>
      run(async (context) => (await import('./grants.run.ts')).grantAdd(context, options)),
    );
  grants
    .command('remove')
    .description('take a grant back; what was asked for by it and was not sent is not sent')
    .argument('<id>', 'id of the grant', (text: string) => uuid('a grant', text, 'modfleet grants list'))
    .addOption(jsonOption())
    .action((id: string, options: Json) =>
      run(async (context) => (await import('./grants.run.ts')).grantRemove(context, id, options)),
    );

  const tokens = program.command('tokens').helpCommand(false).description('API tokens: who calls, as which account');
  tokens
    .command('create')
    .description('make an API token; it is shown only now')
    .option('--account <account>', 'for this account (default: yours)', accountName)
    .option('--name <name>', 'what it is for')
    .addOption(
      durationOption('--expires-in <time>', 'how long it is good (default: 90d)', LIFETIME).conflicts('neverExpires'),
    )
    .option('--never-expires', 'good until it is revoked')
    .addOption(
      new Option(
        '--route <route>',
        'only this route, for example "GET /api/v1/hosts"; may be given several times',
      ).argParser((text: string, previous?: string[]) => [...(previous ?? []), text]),
    )
    .addOption(jsonOption())
    .action((options: TokenCreateOptions) =>
      run(async (context) => (await import('./tokens.run.ts')).tokenCreate(context, options)),
    );
  tokens
    .command('list')
    .description('API tokens: yours, or as admin of the whole fleet all')
    .option('--account <account>', 'of this account (id or name)', accountName)
    .option('--ended', 'also those that were revoked or have expired')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: TokenListOptions) =>
      run(async (context) => (await import('./tokens.run.ts')).tokenList(context, options)),
    );
  tokens
    .command('revoke')
    .description('make an API token worthless, from the next call on')
    .argument('<token>', 'its id, or its first 12 characters', tokenWord)
    .addOption(jsonOption())
    .action((token: string, options: Json) =>
      run(async (context) => (await import('./tokens.run.ts')).tokenRevoke(context, token, options)),
    );
};

function accountName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/.test(text)) return text;
  throw usageError(
    `${JSON.stringify(text.slice(0, 64))} is no account`,
    'an account name has letters, digits, ".", "_", "@", "+" and "-", and begins with a letter or digit',
  );
}

/** A whole token is a secret that does not belong on a command line: its beginning is enough. */
function tokenWord(text: string): string {
  if (/^mfl_[A-Za-z0-9_-]{8}/.test(text)) return text.slice(0, 12);
  return uuid('an API token', text, 'modfleet tokens list');
}
