import type { AddGrantBody, Grant, GrantItem, GrantList, GrantListQuery, RoleWord } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';

export interface GrantListOptions extends ListOptions {
  readonly account?: string;
  readonly revoked?: boolean;
}
export interface GrantAddOptions {
  readonly account: string;
  readonly role: RoleWord;
  readonly on?: string;
  readonly all?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = [
  'id',
  'account',
  'role',
  'selector',
  'createdBy',
  'createdAt',
  'endsAt',
  'ended',
  'revokedAt',
  'revokedBy',
  'sealed',
] as const;

const STATES = { broken: 'changed outside the server', revoked: 'taken back', ended: 'has ended', holds: 'holds' };

function stateOf(row: GrantItem): keyof typeof STATES {
  if (!row.sealed) return 'broken';
  if (row.revokedAt !== null) return 'revoked';
  return row.ended ? 'ended' : 'holds';
}

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function grantColumns(now: Date, timeZone: string | undefined): Column<GrantItem>[] {
  return [
    { head: 'ACCOUNT', cell: (row) => row.account.name },
    { head: 'ROLE', cell: (row) => row.role },
    {
      head: 'OVER',
      cell: (row) => row.selector ?? 'the whole fleet',
      raw: (row) => row.selector ?? '--all',
      shrink: 1,
    },
    {
      head: 'STATE',
      cell: (row) => STATES[stateOf(row)],
      raw: stateOf,
      color: (colors, row) => colors[stateOf(row) === 'broken' ? 'red' : stateOf(row) === 'holds' ? 'green' : 'dim'],
    },
    { head: 'CREATED', cell: (row) => clock(row.createdAt, now, timeZone), raw: (row) => row.createdAt },
    { head: 'BY', cell: (row) => row.createdBy, shrink: 2 },
    { head: 'ID', cell: (row) => row.id },
    {
      head: 'ENDS',
      cell: (row) => (row.endsAt ? clock(row.endsAt, now, timeZone) : ''),
      raw: (row) => row.endsAt ?? '',
      hideEmpty: true,
    },
  ];
}

/** `modfleet grants list`. */
export async function grantList(context: Context, options: GrantListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const query: GrantListQuery = {
    ...(options.account === undefined ? {} : { account: options.account }),
    ...(options.revoked === true ? { includeRevoked: 'true' } : {}),
  };
  const answer = await fetchPages<GrantList>((page) => api.get('/grants', { ...query, ...page }), options);
  await printList(io, answer, {
    fields,
    columns: grantColumns(io.now(), io.timeZone),
    none: 'There is no such grant. Give one: modfleet grants add --account ACCOUNT --role viewer --all',
  });
  return EXIT.ok;
}

/** `modfleet grants add`. */
export async function grantAdd(context: Context, options: GrantAddOptions): Promise<ExitCode> {
  const { account, role, on } = options;
  if (on === undefined && options.all !== true)
    throw usageError('say over which hosts', 'some: --on env=staging', 'the whole fleet: --all');
  const body: AddGrantBody = { account, role, ...(on === undefined ? { all: true } : { selector: on }) };
  const grant = await context.api().change<Grant>({ method: 'POST', path: '/grants', body, asked: { selector: on } });
  const over = grant.selector === null ? 'the whole fleet' : `the hosts that match ${clean(grant.selector)}`;
  return told(context, grant, options.json, [
    `${clean(grant.account.name)} is ${grant.role} over ${over}.`,
    ...emptyLabels(grant.selector),
    `  take it back: modfleet grants remove ${grant.id}`,
  ]);
}

/** "env=" is a label that is there without a value: seldom what is meant. */
function emptyLabels(selector: string | null): string[] {
  const keys = (selector ?? '').split(',').flatMap((part) => /^ *([^=!@ ]+) *= *$/.exec(part)?.[1] ?? []);
  return keys.map((key) => `  "${key}=" are hosts whose label ${key} is there and empty; those without it are !${key}`);
}

/** `modfleet grants remove ID`. */
export async function grantRemove(
  context: Context,
  id: string,
  options: { readonly json?: JsonOption },
): Promise<ExitCode> {
  const grant = await context.api().change<Grant>({ method: 'DELETE', path: path`/grants/${id}`, body: {} });
  return told(context, grant, options.json, [`${clean(grant.account.name)} is ${grant.role} by this grant no more.`]);
}

function told(context: Context, grant: Grant, json: JsonOption, lines: readonly string[]): ExitCode {
  const { io } = context;
  const fields = jsonFields(json, [...FIELDS, 'freeze'] as const);
  noteFreeze(grant.freeze, io);
  if (fields) io.out.write(renderJson(pick(grant, fields), io.out.isTty));
  else io.err.write(`${lines.join('\n')}\n`);
  return EXIT.ok;
}
