import type {
  ApiToken,
  ApiTokenItem,
  ApiTokenList,
  ApiTokenListQuery,
  CreatedToken,
  CreateTokenBody,
} from '@modfleet/server/api-types';
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

export interface TokenCreateOptions {
  readonly account?: string;
  readonly name?: string;
  /** Milliseconds. */
  readonly expiresIn?: number;
  readonly neverExpires?: boolean;
  readonly route?: readonly string[];
  readonly json?: JsonOption;
}
export interface TokenListOptions extends ListOptions {
  readonly account?: string;
  readonly ended?: boolean;
}

const FIELDS = [
  'id',
  'account',
  'name',
  'prefix',
  'routes',
  'createdBy',
  'createdAt',
  'expiresAt',
  'lastUsedAt',
  'revokedAt',
  'revokedBy',
  'state',
  'sealed',
] as const;

/** `modfleet tokens create`: the secret alone on stdout, so that a script can take it. */
export async function tokenCreate(context: Context, options: TokenCreateOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [...FIELDS, 'token', 'freeze'] as const);
  const { account, name, expiresIn, route } = options;
  const body: CreateTokenBody = {
    ...(account === undefined ? {} : { account }),
    ...(name === undefined ? {} : { name }),
    ...(expiresIn === undefined ? {} : { expiresIn: Math.ceil(expiresIn / 1000) }),
    ...(options.neverExpires === true ? { expiresIn: null } : {}),
    ...(route === undefined ? {} : { routes: [...route] }),
  };
  const token = await context.api().change<CreatedToken>({ method: 'POST', path: '/tokens', body });
  noteFreeze(token.freeze, io);
  if (fields) io.out.write(renderJson(pick(token, fields), io.out.isTty));
  else {
    io.out.write(`${token.token}\n`);
    const until = token.expiresAt === null ? 'it is revoked' : clock(token.expiresAt, io.now(), io.timeZone);
    io.err.write(`It acts as ${clean(token.account?.name ?? '')} until ${until}. It is not shown again.\n`);
    if (token.routes !== null) io.err.write(`It may call: ${token.routes.map(clean).join(', ')}\n`);
    io.err.write(`To make it worthless: modfleet tokens revoke ${token.id}\n`);
  }
  return EXIT.ok;
}

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function tokenColumns(now: Date, timeZone: string | undefined): Column<ApiTokenItem>[] {
  const when = (iso: string | null, none: string) => (iso === null ? none : clock(iso, now, timeZone));
  return [
    { head: 'TOKEN', cell: (row) => `${row.prefix}…`, raw: (row) => row.prefix },
    { head: 'ACCOUNT', cell: (row) => row.account?.name ?? 'nobody', raw: (row) => row.account?.name ?? '' },
    { head: 'NAME', cell: (row) => row.name, shrink: 1 },
    {
      head: 'STATE',
      cell: (row) => (row.sealed ? row.state.replace('_', ' ') : 'changed outside the server'),
      raw: (row) => (row.sealed ? row.state : 'broken'),
      color: (colors, row) => (!row.sealed ? colors.red : row.state === 'open' ? colors.green : colors.dim),
    },
    { head: 'EXPIRES', cell: (row) => when(row.expiresAt, 'never'), raw: (row) => row.expiresAt ?? '' },
    { head: 'LAST USED', cell: (row) => when(row.lastUsedAt, 'never'), raw: (row) => row.lastUsedAt ?? '' },
    { head: 'ROUTES', cell: (row) => row.routes?.join(', ') ?? '', hideEmpty: true, shrink: 2 },
    { head: 'ID', cell: (row) => row.id },
  ];
}

/** `modfleet tokens list`. */
export async function tokenList(context: Context, options: TokenListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const query: ApiTokenListQuery = {
    ...(options.account === undefined ? {} : { account: options.account }),
    ...(options.ended === true ? { includeEnded: 'true' } : {}),
  };
  const answer = await fetchPages<ApiTokenList>((page) => api.get('/tokens', { ...query, ...page }), options);
  await printList(io, answer, {
    fields,
    columns: tokenColumns(io.now(), io.timeZone),
    none: 'There is no open API token. Make one: modfleet tokens create',
  });
  return EXIT.ok;
}

/** `modfleet tokens revoke TOKEN`. */
export async function tokenRevoke(
  context: Context,
  idOrPrefix: string,
  options: { readonly json?: JsonOption },
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, [...FIELDS, 'freeze'] as const);
  const token = await context.api().change<ApiToken>({ method: 'DELETE', path: path`/tokens/${idOrPrefix}`, body: {} });
  noteFreeze(token.freeze, io);
  if (fields) io.out.write(renderJson(pick(token, fields), io.out.isTty));
  else io.err.write(`The API token ${clean(token.prefix)}… (${clean(token.name)}) is revoked.\n`);
  return EXIT.ok;
}
