import type { Register } from '../command-line/runner.ts';
import type { LoginOptions } from './login.run.ts';
import type { LogoutOptions } from './logout.run.ts';

export const registerLogin: Register = (program, run) => {
  program
    .command('login')
    .description('sign in, and store what proves it with the address of the server')
    .option('--url <url>', 'address of the API (default: the stored one, else http://127.0.0.1:7780)')
    .option('--user <name>', 'sign in as this account, with its password (asked for, not shown)')
    .option('--password-file <file>', 'with --user: read the password from this file; "-": standard input')
    .option('--new-password-file <file>', 'with --user and a one-time password: the password to choose')
    .option('--oidc', 'sign in at the identity provider, in a browser on any machine')
    .option('--token-file <file>', 'store an API token from this file; "-": standard input (default: ask for one)')
    .option('--ca-file <file>', "CA that signs the server's certificate (PEM)")
    .option('--insecure-http', 'let passwords and tokens go over http to another machine, from now on')
    .action((options: LoginOptions) =>
      run(async (context) => (await import('./login.run.ts')).login(context, options)),
    );

  program
    .command('logout')
    .description('end the sign-in, at the server too, and forget it')
    .option('--local', 'only forget it here: the server is out of reach')
    .action((options: LogoutOptions) =>
      run(async (context) => (await import('./logout.run.ts')).logout(context, options)),
    );
};
