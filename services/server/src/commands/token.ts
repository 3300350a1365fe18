import { AccessRepository } from '../access/access.repository.ts';
import { ApiTokenService } from '../access/api-token.service.ts';
import { TOKEN_NAME } from '../access/token-name.ts';
import { tokenState } from '../access/token-state.ts';
import { localSource } from '../audit/audit-source.ts';
import { localAudit } from '../audit/local-audit.ts';
import { announceOnce } from '../bus/announce-once.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { openKeptKeys } from '../keys/kept-keys.ts';
import { parsed } from './arguments.ts';
import { parseDuration } from './duration.ts';
import { UsageError } from './usage-error.ts';

type Print = (line: string) => void;

export const TOKEN_USAGE = `modfleet-server token create --name NAME [--expires-in 1h]
modfleet-server token list
modfleet-server token revoke PREFIX`;

/** API tokens, on the server's own machine: whoever has the server's keys and reaches its database may make them. */
export async function token(config: ServerConfig, args: readonly string[], print: Print): Promise<void> {
  const [verb, ...rest] = args;
  await withTokens(config, (tokens) => run(verb, rest, tokens, print));
}

export async function withTokens(
  config: ServerConfig,
  work: (tokens: ApiTokenService) => Promise<void>,
): Promise<void> {
  const repository = new AccessRepository(openKeptKeys(config));
  const database = new DatabaseService(config);
  try {
    const audit = await localAudit(config, database);
    await work(new ApiTokenService(database, repository, audit, announceOnce(config, database)));
  } finally {
    await database.onApplicationShutdown();
  }
}

async function run(
  verb: string | undefined,
  rest: readonly string[],
  tokens: ApiTokenService,
  print: Print,
): Promise<void> {
  switch (verb) {
    case 'create':
      return create(rest, tokens, print);
    case 'list':
      return list(tokens, print);
    case 'revoke': {
      const prefix = rest[0] ?? '';
      if (!/^mfl_[A-Za-z0-9_-]{4,}$/.test(prefix))
        throw new UsageError(`say which token: its first characters, as "token list" shows them\n${TOKEN_USAGE}`);
      const row = await tokens.revoke(prefix.slice(0, 12), localSource());
      return print(`revoked ${row.prefix}… (${row.name})`);
    }
    default:
      throw new UsageError(`${verb === undefined ? 'say what to do' : `there is no "token ${verb}"`}\n${TOKEN_USAGE}`);
  }
}

async function create(args: readonly string[], tokens: ApiTokenService, print: Print): Promise<void> {
  const options = { name: { type: 'string' }, 'expires-in': { type: 'string' } } as const;
  const { values } = parsed({ args: [...args], options }, TOKEN_USAGE);
  const name = values.name?.trim() ?? '';
  if (name === '' || name.length > 100)
    throw new UsageError(`a token needs a name of 1 to 100 characters: --name NAME\n${TOKEN_USAGE}`);
  if (!TOKEN_NAME.test(name)) throw new UsageError('a token name has no control or invisible characters');
  const expiresIn = values['expires-in'];
  const lifetime = expiresIn === undefined ? null : parseDuration(expiresIn);
  const { token: secret } = await tokens.create(name, lifetime, localSource());
  print(secret);
}

async function list(tokens: ApiTokenService, print: Print): Promise<void> {
  for (const row of await tokens.list())
    print(
      [
        `${row.prefix}…`,
        row.name,
        `account ${row.account_name ?? 'none'}`,
        stateWords(row),
        `last used ${row.last_used_at?.toISOString() ?? 'never'}`,
      ].join('\t'),
    );
}

/** The words of `modfleet tokens list`. */
function stateWords(row: Awaited<ReturnType<ApiTokenService['list']>>[number]): string {
  if (!row.whole) return 'changed outside the server';
  const state = tokenState(row);
  switch (state) {
    case 'revoked':
      return `revoked ${row.revoked_at?.toISOString() ?? ''}`;
    case 'expired':
      return `expired ${row.expires_at?.toISOString() ?? ''}`;
    case 'account_disabled':
      return 'account disabled';
    case 'open':
      return row.expires_at === null ? 'open' : `open until ${row.expires_at.toISOString()}`;
  }
}
