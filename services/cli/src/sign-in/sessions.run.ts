import type { EndedSignIn, EndTokensBody, SignInItem, SignInList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';
import { tokenLines } from './ways-in.ts';

export interface SessionListOptions extends ListOptions {
  readonly account?: string;
  readonly all?: boolean;
}
export interface SessionEndOptions {
  readonly tokens?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = [
  'id',
  'account',
  'way',
  'carrier',
  'place',
  'agent',
  'createdAt',
  'lastUsedAt',
  'expiresAt',
  'current',
] as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function sessionColumns(now: Date, timeZone: string | undefined): Column<SignInItem>[] {
  const when = (iso: string) => clock(iso, now, timeZone);
  return [
    { head: 'ID', cell: (row) => row.id },
    { head: 'ACCOUNT', cell: (row) => row.account.name, shrink: 1 },
    { head: 'BY', cell: (row) => row.way },
    { head: 'FROM', cell: (row) => row.place },
    { head: 'LAST USED', cell: (row) => when(row.lastUsedAt), raw: (row) => row.lastUsedAt },
    { head: 'EXPIRES', cell: (row) => when(row.expiresAt), raw: (row) => row.expiresAt },
    {
      head: 'THIS ONE',
      cell: (row) => (row.current ? 'yes' : ''),
      raw: (row) => (row.current ? 'yes' : 'no'),
      hideEmpty: true,
    },
    { head: 'WITH', cell: (row) => row.agent, shrink: 2 },
  ];
}

/** `modfleet sessions list`. */
export async function sessionList(context: Context, options: SessionListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const whose = { account: options.account, all: options.all === true ? 'true' : undefined };
  const answer = await fetchPages<SignInList>((page) => api.get('/sessions', { ...page, ...whose }), options);
  await printList(io, answer, {
    fields,
    columns: sessionColumns(io.now(), io.timeZone),
    none: 'There is no open sign-in. API tokens are no sign-ins.',
  });
  return EXIT.ok;
}

/** `modfleet sessions end ID`. */
export async function sessionEnd(context: Context, id: string, options: SessionEndOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [...FIELDS, 'endedAt', 'tokensEnded', 'apiTokens', 'freeze'] as const);
  const body: EndTokensBody = options.tokens === true ? { endTokens: true } : {};
  const ended = await context.api().change<EndedSignIn>({ method: 'DELETE', path: path`/sessions/${id}`, body });
  noteFreeze(ended.freeze, io);
  if (fields) io.out.write(renderJson(pick(ended, fields), io.out.isTty));
  else {
    const { name } = ended.account;
    io.err.write(`The sign-in of ${name} from ${ended.place} has ended.\n`);
    for (const line of tokenLines(
      name,
      ended,
      `modfleet accounts passwd ${name} --tokens, or accounts disable ${name}`,
    ))
      io.err.write(`${line}\n`);
  }
  return EXIT.ok;
}
