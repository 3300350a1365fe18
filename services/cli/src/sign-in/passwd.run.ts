import type { ChangedPassword } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { type PasswordFiles, readNewPassword, readPassword } from '../login/password.ts';
import { count } from '../output/words.ts';

export type PasswdOptions = PasswordFiles;

/** `modfleet passwd`: your own password. */
export async function passwd(context: Context, options: PasswdOptions): Promise<ExitCode> {
  const { io } = context;
  if (options.newPasswordFile === '-' && options.passwordFile === '-')
    throw usageError('standard input holds one password, not two', 'give one of them by a file');
  const api = context.api();
  const password = await readPassword(context, options.passwordFile, 'Password of now (not shown): ');
  const newPassword = await readNewPassword(context, options.newPasswordFile);
  const { signInsEnded } = await api.post<ChangedPassword>('/me/password', { password, newPassword });
  io.err.write(`Changed. ${count(signInsEnded, 'other sign-in')} ended.\n`);
  return EXIT.ok;
}
