import type { Register } from '../command-line/runner.ts';
import type { LoginOptions } from './login.run.ts';

export const registerLogin: Register = (program, run) => {
  program
    .command('login')
    .description('check a token and store it with the address of its server')
    .option('--url <url>', 'address of the API (default: the stored one, else http://127.0.0.1:7780)')
    .option('--token-file <file>', 'read the token from this file; "-": standard input (default: ask)')
    .option('--ca-file <file>', "CA that signs the server's certificate (PEM)")
    .action((options: LoginOptions) =>
      run(async (context) => (await import('./login.run.ts')).login(context, options)),
    );
};
