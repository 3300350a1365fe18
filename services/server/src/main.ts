import 'reflect-metadata';
import { TOKEN_USAGE, token } from './commands/token.ts';
import { UsageError } from './commands/usage-error.ts';
import { ConfigError, readServerConfig } from './config/server-config.ts';
import { AppError } from './errors/app-error.ts';
import { DatabaseUnavailableError } from './database/database.errors.ts';
import { withoutSecrets } from './logging/logger.ts';

const USAGE = `modfleet-server [serve]      run the server (settings: docs/operations.md)
modfleet-server migrate      bring the database to this version
${TOKEN_USAGE}
modfleet-server openapi      print the OpenAPI document of the API
modfleet-server health       ask the running server whether it is ready`;

/** @returns the exit code; undefined while the server runs. */
async function main(args: readonly string[]): Promise<number | undefined> {
  const [command = 'serve', ...rest] = args;
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  switch (command) {
    case 'serve': {
      const { serve } = await import('./commands/serve.ts');
      await serve(readServerConfig());
      return undefined;
    }
    case 'migrate': {
      const { migrate } = await import('./database/migrate.ts');
      const names = await migrate(readServerConfig().databaseDirectUrl);
      print(names.length === 0 ? 'the database is up to date' : `applied ${names.join(', ')}`);
      return 0;
    }
    case 'token':
      await token(readServerConfig(), rest, print);
      return 0;
    case 'openapi': {
      const { openapi } = await import('./commands/openapi.ts');
      const anyDatabase = { DATABASE_URL: 'postgresql://127.0.0.1/none' };
      print(await openapi(readServerConfig(anyDatabase)));
      return 0;
    }
    case 'health': {
      const { health } = await import('./commands/health.ts');
      const { ready, line } = await health(readServerConfig());
      print(line);
      return ready ? 0 : 1;
    }
    case 'help':
    case '--help':
    case '-h':
      print(USAGE);
      return 0;
    default:
      throw new UsageError(`modfleet-server has no command ${JSON.stringify(command)}\n${USAGE}`);
  }
}

/** One clear message on stderr; a fault of ours keeps its stack. */
function explain(error: unknown): number {
  const known =
    error instanceof UsageError ||
    error instanceof ConfigError ||
    error instanceof AppError ||
    error instanceof DatabaseUnavailableError;
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${withoutSecrets(text)}\n`);
  if (error instanceof UsageError || error instanceof ConfigError) return 2;
  return error instanceof DatabaseUnavailableError ? 5 : 1;
}

main(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  (error: unknown) => {
    process.exitCode = explain(error);
  },
);
