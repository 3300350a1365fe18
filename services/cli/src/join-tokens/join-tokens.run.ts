import type {
  CreatedJoinToken,
  CreateJoinTokenBody,
  JoinToken,
  JoinTokenItem,
  JoinTokenList,
} from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { labelText } from '../hosts/hosts-list.run.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';
import { count } from '../output/words.ts';

export interface JoinTokenCreateOptions {
  readonly name?: string;
  readonly uses?: number;
  /** Milliseconds. */
  readonly expiresIn?: number;
  readonly label?: Readonly<Record<string, string>>;
  readonly json?: JsonOption;
}
export type JoinTokenListOptions = ListOptions;
export interface JoinTokenRevokeOptions {
  readonly json?: JsonOption;
}

const FIELDS = [
  'id',
  'name',
  'prefix',
  'labels',
  'maxUses',
  'uses',
  'expiresAt',
  'revokedAt',
  'createdBy',
  'createdAt',
  'state',
] as const;

/** `modfleet join-tokens create`: the join string alone on stdout, so that a script can take it. */
export async function joinTokenCreate(context: Context, options: JoinTokenCreateOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [...FIELDS, 'joinString', 'freeze'] as const);
  const body: CreateJoinTokenBody = {
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.uses === undefined ? {} : { maxUses: options.uses }),
    ...(options.expiresIn === undefined ? {} : { expiresIn: Math.ceil(options.expiresIn / 1000) }),
    ...(options.label === undefined ? {} : { labels: { ...options.label } }),
  };
  const token = await context.api().change<CreatedJoinToken>({ method: 'POST', path: '/join-tokens', body });
  noteFreeze(token.freeze, io);
  if (fields) io.out.write(renderJson(pick(token, fields), io.out.isTty));
  else {
    io.out.write(`${token.joinString}\n`);
    io.err.write(
      `${count(token.maxUses, 'host')} may join by it until ${clock(token.expiresAt, io.now(), io.timeZone)}. It is not shown again.\n`,
    );
    io.err.write('On the host, with the line above in a file that only root reads:\n');
    io.err.write('  modfleet-agent join --server SERVER:7782 --token-file FILE\n');
    io.err.write(`To make it worthless: modfleet join-tokens revoke ${token.id}\n`);
  }
  return EXIT.ok;
}

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function joinTokenColumns(now: Date, timeZone: string | undefined): Column<JoinTokenItem>[] {
  const when = (iso: string) => clock(iso, now, timeZone);
  return [
    { head: 'ID', cell: (row) => row.id },
    { head: 'NAME', cell: (row) => row.name, shrink: 1 },
    { head: 'TOKEN', cell: (row) => `${row.prefix}…`, raw: (row) => row.prefix },
    {
      head: 'STATE',
      cell: (row) => row.state.replace('_', ' '),
      raw: (row) => row.state,
      color: (colors, row) => (row.state === 'open' ? colors.green : row.state === 'broken' ? colors.red : colors.dim),
    },
    { head: 'USED', cell: (row) => `${row.uses} of ${row.maxUses}`, raw: (row) => `${row.uses}/${row.maxUses}` },
    { head: 'EXPIRES', cell: (row) => when(row.expiresAt), raw: (row) => row.expiresAt },
    { head: 'BY', cell: (row) => row.createdBy, shrink: 2 },
    { head: 'LABELS', cell: labelText, hideEmpty: true, shrink: 3 },
  ];
}

/** `modfleet join-tokens list`. */
export async function joinTokenList(context: Context, options: JoinTokenListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const answer = await fetchPages<JoinTokenList>((page) => api.get('/join-tokens', page), options);
  await printList(io, answer, {
    fields,
    columns: joinTokenColumns(io.now(), io.timeZone),
    none: 'There is no join token. Make one: modfleet join-tokens create',
  });
  return EXIT.ok;
}

/** `modfleet join-tokens revoke ID`. */
export async function joinTokenRevoke(
  context: Context,
  id: string,
  options: JoinTokenRevokeOptions,
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [...FIELDS, 'freeze'] as const);
  const token = await context.api().change<JoinToken>({ method: 'DELETE', path: path`/join-tokens/${id}`, body: {} });
  noteFreeze(token.freeze, io);
  if (fields) io.out.write(renderJson(pick(token, fields), io.out.isTty));
  else
    io.err.write(
      `Join token ${token.name === '' ? token.id : token.name} is revoked. ${count(token.uses, 'host')} joined by it and stay.\n`,
    );
  return EXIT.ok;
}
