import type { Account, AccountItem, DisabledAccount, AccountList, CreateAccountBody } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { waysInWords } from '../sign-in/ways-in.ts';

export type AccountListOptions = ListOptions;
export interface AccountCreateOptions {
  readonly kind?: 'service' | 'person';
  readonly json?: JsonOption;
}

const FIELDS = [
  'id',
  'name',
  'kind',
  'createdBy',
  'createdAt',
  'disabledAt',
  'disabledBy',
  'sealed',
  'password',
  'identities',
] as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function accountColumns(now: Date, timeZone: string | undefined): Column<AccountItem>[] {
  return [
    { head: 'NAME', cell: (row) => row.name },
    { head: 'KIND', cell: (row) => row.kind },
    {
      head: 'STATE',
      cell: (row) => (!row.sealed ? 'changed outside the server' : row.disabledAt === null ? 'enabled' : 'disabled'),
      raw: (row) => (!row.sealed ? 'broken' : row.disabledAt === null ? 'enabled' : 'disabled'),
      color: (colors, row) => (!row.sealed ? colors.red : row.disabledAt === null ? colors.green : colors.dim),
    },
    { head: 'CREATED', cell: (row) => clock(row.createdAt, now, timeZone), raw: (row) => row.createdAt },
    { head: 'BY', cell: (row) => row.createdBy, shrink: 1 },
    { head: 'ID', cell: (row) => row.id },
    { head: 'SIGNS IN WITH', cell: (row) => waysInWords(row).join(', '), hideEmpty: true, shrink: 2 },
  ];
}

/** `modfleet accounts list`. */
export async function accountList(context: Context, options: AccountListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const answer = await fetchPages<AccountList>((page) => api.get('/accounts', page), options);
  await printList(io, answer, { fields, columns: accountColumns(io.now(), io.timeZone), none: 'There is no account.' });
  return EXIT.ok;
}

/** `modfleet accounts create NAME`. */
export async function accountCreate(context: Context, name: string, options: AccountCreateOptions): Promise<ExitCode> {
  const body: CreateAccountBody = { name, ...(options.kind === undefined ? {} : { kind: options.kind }) };
  const account = await context.api().change<Account>({ method: 'POST', path: '/accounts', body });
  return told(context, account, options.json, [
    `The account ${clean(account.name)} is made. It may do nothing yet.`,
    `  give it a role: modfleet grants add --account ${account.name} --role viewer --all`,
    account.kind === 'person'
      ? `  and a password: modfleet accounts passwd ${account.name} (or link an identity: modfleet accounts link ${account.name} --subject SUB)`
      : `  and a token:    modfleet tokens create --account ${account.name}`,
  ]);
}

/** `modfleet accounts disable ACCOUNT`, `modfleet accounts enable ACCOUNT`. */
export async function accountSwitch(
  context: Context,
  verb: 'disable' | 'enable',
  idOrName: string,
  options: { readonly json?: JsonOption },
): Promise<ExitCode> {
  const account = await context.api().change<Account & Partial<Pick<DisabledAccount, 'tokensEnded'>>>({
    method: 'POST',
    path: path`/accounts/${idOrName}/${verb}`,
    body: {},
  });
  const { tokensEnded } = account;
  // A server of an earlier version does not end them, and does not say.
  const ended =
    tokensEnded === undefined
      ? `  its API tokens hold again once it is enabled: modfleet tokens list --account ${clean(account.name)}`
      : `  ${count(tokensEnded, 'API token')} and all sign-ins of it ended for good.`;
  return told(
    context,
    account,
    options.json,
    verb === 'disable'
      ? [
          `The account ${clean(account.name)} is disabled: nothing that it calls or asked for goes on, but for what hosts have begun.`,
          ended,
        ]
      : [`The account ${clean(account.name)} is enabled: its grants hold again. API tokens that ended stay ended.`],
    verb === 'disable' ? ['tokensEnded'] : [],
  );
}

function told(
  context: Context,
  account: Account & Partial<Pick<DisabledAccount, 'tokensEnded'>>,
  json: JsonOption,
  lines: readonly string[],
  more: readonly 'tokensEnded'[] = [],
): ExitCode {
  const { io } = context;
  const fields = jsonFields(json, [...FIELDS, ...more, 'freeze'] as const);
  noteFreeze(account.freeze, io);
  if (fields) io.out.write(renderJson(pick(account, fields), io.out.isTty));
  else io.err.write(`${lines.join('\n')}\n`);
  return EXIT.ok;
}
