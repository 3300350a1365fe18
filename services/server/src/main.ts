import 'reflect-metadata';
import { CA_USAGE, ca } from './commands/ca.ts';
import { databaseProblem } from './commands/database-problem.ts';
import { startProblem } from './commands/start-problem.ts';
import { ADMIN_TOKEN_USAGE, adminToken } from './commands/admin-token.ts';
import { audit, AUDIT_USAGE } from './commands/audit.ts';
import { EPOCH_USAGE } from './commands/epoch-usage.ts';
import { MIGRATE_USAGE, migrateCommand } from './commands/migrate.ts';
import { TOKEN_USAGE, token } from './commands/token.ts';
import { UsageError } from './commands/usage-error.ts';
import { ConfigError, readServerConfig } from './config/server-config.ts';
import { toldSettings } from './config/settings-file.ts';
import { AppError } from './errors/app-error.ts';
import { DatabaseUnavailableError } from './database/database.errors.ts';
import { CaStoreError } from './ca/ca-certificate.ts';
import { CaStepRefusedError } from './ca/ca-rotation.ts';
import { KeyFileError } from './keys/key-files.ts';
import { MigrationError } from './database/migrate.ts';
import { visible, withoutSecrets } from './logging/logger.ts';

const USAGE = `modfleet-server [serve]      run the server (settings: docs/operations.md)
${MIGRATE_USAGE}
${TOKEN_USAGE}
${ADMIN_TOKEN_USAGE}
${AUDIT_USAGE}
${EPOCH_USAGE}
${CA_USAGE}
modfleet-server openapi      print the OpenAPI document of the API
modfleet-server health       ask the running server whether it is ready

modfleet-server --settings FILE COMMAND   with settings from a file of NAME=VALUE lines; beside "npm start": .modfleet/server.env`;

/** @returns the exit code; undefined while the server runs. */
async function main(argv: readonly string[]): Promise<number | undefined> {
  const { environment, args } = toldSettings(argv);
  const [command = 'serve', ...rest] = args;
  const print = (line: string): void => void process.stdout.write(`${visible(line)}\n`);
  switch (command) {
    case 'serve': {
      const { serve } = await import('./commands/serve.ts');
      await serve(readServerConfig(environment));
      return undefined;
    }
    case 'migrate': {
      await migrateCommand(readServerConfig(environment), rest, print);
      return 0;
    }
    case 'token':
      await token(readServerConfig(environment), rest, print);
      return 0;
    case 'admin-token':
      await adminToken(readServerConfig(environment), rest, print);
      return 0;
    case 'audit':
      return audit(readServerConfig(environment), rest, print);
    case 'epoch': {
      const { epoch } = await import('./commands/epoch.ts');
      await epoch(readServerConfig(environment), rest, print);
      return 0;
    }
    case 'ca':
      await ca(readServerConfig(environment), rest, print);
      return 0;
    case 'openapi': {
      const { openapi } = await import('./commands/openapi.ts');
      const anyDatabase = { DATABASE_URL: 'postgresql://127.0.0.1/none' };
      print(await openapi(readServerConfig(anyDatabase)));
      return 0;
    }
    case 'health': {
      const { health } = await import('./commands/health.ts');
      const { ready, line } = await health(readServerConfig(environment));
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

/** One clear message on stderr; a fault of ours keeps its stack. @returns the exit code. */
function explain(error: unknown): number {
  process.stderr.write(`${visible(withoutSecrets(textOf(error)))}\n`);
  if (error instanceof UsageError || error instanceof ConfigError || isArgumentError(error)) return 2;
  return error instanceof DatabaseUnavailableError ? 5 : 1;
}

function textOf(error: unknown): string {
  if (error instanceof DatabaseUnavailableError) {
    return 'The database does not answer: check DATABASE_URL, and that PostgreSQL runs there.';
  }
  const known = [
    UsageError,
    ConfigError,
    AppError,
    MigrationError,
    CaStoreError,
    CaStepRefusedError,
    KeyFileError,
  ].some((kind) => error instanceof kind);
  if (!(error instanceof Error)) return String(error);
  if (known || isArgumentError(error)) return error.message;
  return startProblem(error) ?? databaseProblem(error) ?? error.stack ?? error.message;
}

/** What node:util parseArgs says of a command line. */
function isArgumentError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

main(process.argv.slice(2)).then(
  (code) => {
    if (code !== undefined) process.exitCode = code;
  },
  // Listeners that did open would keep the process alive.
  (error: unknown) => process.exit(explain(error)),
);
