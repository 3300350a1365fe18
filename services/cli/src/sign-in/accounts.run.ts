import type {
  EndTokensBody,
  LinkedIdentity,
  LinkIdentityBody,
  OneTimePassword,
  RemovedPassword,
  UnlinkedIdentity,
  UnlinkIdentityBody,
} from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { clock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { leftLines, tokenLines } from './ways-in.ts';

export interface PasswdOptions {
  readonly tokens?: boolean;
  readonly json?: JsonOption;
}
export interface OneTimeOptions {
  readonly json?: JsonOption;
}
export interface UnlinkOptions {
  readonly subject: string;
  readonly issuer?: string;
  readonly json?: JsonOption;
}
export interface LinkOptions {
  readonly subject: string;
  readonly json?: JsonOption;
}

/** `modfleet accounts passwd NAME`: the password alone on stdout, so that a script can take it. */
export async function accountPasswd(context: Context, name: string, options: PasswdOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [
    'account',
    'password',
    'expiresAt',
    'signInsEnded',
    'disabled',
    'tokensEnded',
    'apiTokens',
    'freeze',
  ] as const);
  const body: EndTokensBody = options.tokens === true ? { endTokens: true } : {};
  const made = await context
    .api()
    .change<OneTimePassword>({ method: 'POST', path: path`/accounts/${name}/password`, body });
  noteFreeze(made.freeze, io);
  if (fields) io.out.write(renderJson(pick(made, fields), io.out.isTty));
  else {
    io.out.write(`${made.password}\n`);
    const until = clock(made.expiresAt, io.now(), io.timeZone);
    io.err.write(
      `Good for one sign-in of ${made.account.name}, until ${until}; ${count(made.signInsEnded, 'sign-in')} ended. It is not shown again.\n`,
    );
    if (made.disabled)
      io.err.write(
        `The account is disabled: nobody signs in with it before it is enabled: modfleet accounts enable ${made.account.name}\n`,
      );
    io.err.write(`They choose their own with it: modfleet login --user ${made.account.name}\n`);
    for (const line of tokenLines(made.account.name, made, `modfleet accounts passwd ${made.account.name} --tokens`))
      io.err.write(`${line}\n`);
  }
  return EXIT.ok;
}

/** `modfleet accounts link NAME --subject SUB`. */
export async function accountLink(context: Context, name: string, options: LinkOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, ['account', 'issuer', 'subject', 'freeze'] as const);
  const body: LinkIdentityBody = { subject: options.subject };
  const linked = await context
    .api()
    .change<LinkedIdentity>({ method: 'POST', path: path`/accounts/${name}/identities`, body });
  noteFreeze(linked.freeze, io);
  if (fields) io.out.write(renderJson(pick(linked, fields), io.out.isTty));
  else io.err.write(`${linked.subject} at ${linked.issuer} signs in as ${linked.account.name}.\n`);
  return EXIT.ok;
}

/** `modfleet accounts unlink NAME --subject SUB`. */
export async function accountUnlink(context: Context, name: string, options: UnlinkOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, ['account', 'issuer', 'subject', 'signInsEnded', 'left', 'freeze'] as const);
  const { subject, issuer } = options;
  const body: UnlinkIdentityBody = { subject, ...(issuer === undefined ? {} : { issuer }) };
  const gone = await context
    .api()
    .change<UnlinkedIdentity>({ method: 'DELETE', path: path`/accounts/${name}/identities`, body });
  noteFreeze(gone.freeze, io);
  if (fields) io.out.write(renderJson(pick(gone, fields), io.out.isTty));
  else {
    const ended = count(gone.signInsEnded, 'sign-in');
    io.err.write(
      `${clean(`${gone.subject} at ${gone.issuer} signs in as ${gone.account.name} no more`)}; ${ended} ended.\n`,
    );
    io.err.write(`${leftLines(gone.account.name, gone.left).join('\n')}\n`);
  }
  return EXIT.ok;
}

/** `modfleet accounts remove-password NAME`. */
export async function accountRemovePassword(
  context: Context,
  name: string,
  options: OneTimeOptions,
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, ['account', 'signInsEnded', 'left', 'freeze'] as const);
  const gone = await context
    .api()
    .change<RemovedPassword>({ method: 'DELETE', path: path`/accounts/${name}/password`, body: {} });
  noteFreeze(gone.freeze, io);
  if (fields) io.out.write(renderJson(pick(gone, fields), io.out.isTty));
  else {
    io.err.write(`${gone.account.name} has no password any more; ${count(gone.signInsEnded, 'sign-in')} ended.\n`);
    io.err.write(`${leftLines(gone.account.name, gone.left).join('\n')}\n`);
  }
  return EXIT.ok;
}
