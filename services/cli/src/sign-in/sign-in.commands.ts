import { Option, type Command } from 'commander';
import { allPagesOption, jsonOption, limitOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { uuid } from '../command-line/values.ts';
import type {
  LinkOptions,
  OneTimeOptions,
  PasswdOptions as AccountPasswdOptions,
  UnlinkOptions,
} from './accounts.run.ts';
import type { PasswdOptions } from './passwd.run.ts';
import type { SessionEndOptions, SessionListOptions } from './sessions.run.ts';

export const registerSignIn: Register = (program, run) => {
  const sessions = program
    .command('sessions')
    .helpCommand(false)
    .description('sign-ins that are open: who, from where, until when');

  sessions
    .command('list')
    .description('open sign-ins, latest first; your own unless you ask for others (admins)')
    .addOption(new Option('--account <name>', 'those of this account').conflicts('all'))
    .addOption(new Option('--all', 'those of all accounts'))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: SessionListOptions) =>
      run(async (context) => (await import('./sessions.run.ts')).sessionList(context, options)),
    );

  sessions
    .command('end')
    .description('end a sign-in: its next call is refused')
    .argument('<id>', 'id of the sign-in', (text: string) => uuid('a sign-in', text, 'modfleet sessions list'))
    .addOption(endTokensOption())
    .addOption(jsonOption())
    .action((id: string, options: SessionEndOptions) =>
      run(async (context) => (await import('./sessions.run.ts')).sessionEnd(context, id, options)),
    );

  program
    .command('passwd')
    .description('change your own password; your other sign-ins end')
    .option('--password-file <file>', 'read the password of now from this file; "-": standard input')
    .option('--new-password-file <file>', 'read the new one from this file')
    .action((options: PasswdOptions) =>
      run(async (context) => (await import('./passwd.run.ts')).passwd(context, options)),
    );

  const accounts = nounAccounts(program);
  accounts
    .command('passwd')
    .description('give an account a one-time password, and end its sign-ins; it is shown only now')
    .argument('<name>', 'name of the account')
    .addOption(endTokensOption())
    .addOption(jsonOption())
    .action((name: string, options: AccountPasswdOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountPasswd(context, name, options)),
    );

  accounts
    .command('link')
    .description('let an identity at the identity provider sign in as an account')
    .argument('<name>', 'name of the account')
    .requiredOption('--subject <sub>', 'who it is at the provider (its claim "sub"; a refused sign-in shows it)')
    .addOption(jsonOption())
    .action((name: string, options: LinkOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountLink(context, name, options)),
    );

  accounts
    .command('unlink')
    .description('let an identity sign in as an account no more, and end the sign-ins that came through the provider')
    .argument('<name>', 'name of the account')
    .requiredOption('--subject <sub>', 'who it is at the provider (modfleet accounts list shows it)')
    .option('--issuer <url>', 'the provider, where the account has this subject at several')
    .addOption(jsonOption())
    .action((name: string, options: UnlinkOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountUnlink(context, name, options)),
    );

  accounts
    .command('remove-password')
    .description('take the password of an account away, and end the sign-ins that were begun with it')
    .argument('<name>', 'name of the account')
    .addOption(jsonOption())
    .action((name: string, options: OneTimeOptions) =>
      run(async (context) => (await import('./accounts.run.ts')).accountRemovePassword(context, name, options)),
    );
};

function endTokensOption(): Option {
  return new Option('--tokens', 'revoke all API tokens of the account with it');
}

/** The noun has verbs of its own elsewhere. */
function nounAccounts(program: Command): Command {
  return (
    program.commands.find((command) => command.name() === 'accounts') ??
    program.command('accounts').helpCommand(false).description('who may sign in')
  );
}
