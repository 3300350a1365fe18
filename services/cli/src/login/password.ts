import type { LoginBody, SignedIn } from '@modfleet/server/api-types';
import { readText } from '../config/cli-config.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors/api-errors.ts';
import { CliError, usageError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Target } from './login.run.ts';

export interface PasswordFiles {
  readonly passwordFile?: string;
  readonly newPasswordFile?: string;
}

/** Signs in; a one-time password has its owner choose another at once. @throws CliError */
export async function signInByPassword(
  context: Context,
  target: Target,
  user: string,
  files: PasswordFiles,
): Promise<SignedIn> {
  const api = context.apiWith({ ...target, token: '', source: 'login' });
  const password = await readPassword(
    context,
    files.passwordFile,
    `Password of ${user} at ${target.url} (not shown): `,
  );
  const newPassword =
    files.newPasswordFile === undefined ? undefined : await readNewPassword(context, files.newPasswordFile);
  const body = { user, password, carrier: 'bearer' } as const satisfies LoginBody;
  try {
    return await api.post<SignedIn>('/login', newPassword === undefined ? body : { ...body, newPassword });
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.code !== 'password_change_required') throw error;
    if (!context.io.input.isTty)
      throw new CliError('this password was for one sign-in, and another has to be chosen with it', {
        exitCode: EXIT.auth,
        hints: [`give it: modfleet login --user ${user} --password-file FILE --new-password-file FILE`],
      });
    context.io.err.write('This password was for one sign-in: choose one of yours.\n');
    return api.post<SignedIn>('/login', { ...body, newPassword: await readNewPassword(context, undefined) });
  }
}

/** A password as it is: only the end of its line is dropped. @param file "-": standard input; undefined: asked for. */
export async function readPassword(
  context: Context,
  file: string | undefined,
  prompt: string,
  option: '--password-file' | '--new-password-file' = '--password-file',
): Promise<string> {
  const { input } = context.io;
  if (file === undefined && !input.isTty)
    throw usageError(
      `there is no terminal to ask for the ${option === '--password-file' ? 'password' : 'new password'} on`,
      `give it: ${option} FILE${option === '--password-file' ? ' (or - for standard input)' : ''}`,
    );
  const text =
    file === undefined
      ? await input.readLine(prompt, true)
      : file === '-'
        ? await input.readAll()
        : readText(file, 'the password');
  const password = text.replace(/\r?\n$/, '');
  if (password === '') throw usageError('the password is empty');
  return password;
}

/** Typed twice on a terminal: nobody sees what they type. */
export async function readNewPassword(context: Context, file: string | undefined): Promise<string> {
  const first = await readPassword(context, file, 'New password (not shown): ', '--new-password-file');
  if (file !== undefined) return first;
  const second = await readPassword(context, undefined, 'The same again: ');
  if (first !== second) throw usageError('the two are not the same; nothing was changed');
  return first;
}
