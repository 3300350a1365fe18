import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ensureAdminToken } from '../access/admin-token.ts';
import { CaWatch } from '../ca/ca-watch.service.ts';
import { AgentListeners } from '../agent-session/agent-listeners.service.ts';
import type { AddressInfo } from 'node:net';
import type { Server as SecureServer } from 'node:tls';
import { ApiTokenService } from '../access/api-token.service.ts';
import { createApp } from '../app.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { migrate } from '../database/migrate.ts';
import { beforeServe } from './before-serve.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { httpIdentity, ownCaIdentity } from '../http/http-identity.ts';

/** Streams are told to move and answers under way end within this; then the process goes all the same. */
const STOP_LIMIT_MS = 10_000;

/** Runs the server until SIGTERM or SIGINT. */
export async function serve(config: ServerConfig): Promise<void> {
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const migrations = await migrate(config.databaseDirectUrl);
  const notes = await beforeServe(config);
  const app = await createApp(config, { identity: await httpIdentity(config) });
  const logger = new Logger('server');
  if (migrations.length > 0) logger.log({ message: 'migrated', migrations });
  for (const note of notes) logger.warn(note);
  stopOnSignals(app, logger);
  process.on('SIGHUP', () => void app.get(CaWatch).check());
  if (config.httpTls?.kind === 'own-ca') followCa(app, config, logger);
  const adminToken = await ensureAdminToken(config.stateDir, app.get(ApiTokenService));
  await app.listen(config.httpListen.port, config.httpListen.host);
  if (adminToken !== null) logger.log({ message: 'admin token is kept', file: adminToken });
  const agents = app.get(AgentListeners);
  await announce(
    config.stateDir,
    {
      http: addressOf(app),
      session: agents.sessionAddress ?? '',
      identity: agents.identityAddress ?? '',
      replica: app.get<string>(REPLICA_ID),
    },
    logger,
  );
}

/** The API's certificate is by the CA that issues, for connections from now on. */
function followCa(app: NestFastifyApplication, config: ServerConfig, logger: Logger): void {
  const authority = app.get(CertificateAuthority);
  const server = app.getHttpServer() as unknown as SecureServer;
  authority.onChange(() => {
    ownCaIdentity(authority, config).then(
      (identity) => server.setSecureContext(identity),
      (error: unknown) => logger.error({ message: 'the API keeps the certificate of before', err: error }),
    );
  });
}

/** Says where the server listens, and by which id it goes among replicas: one log line, and STATE_DIR/listening.json for scripts. */
async function announce(stateDir: string, listeners: Record<string, string>, logger: Logger): Promise<void> {
  const file = join(stateDir, 'listening.json');
  await writeFile(`${file}.new`, `${JSON.stringify(listeners)}\n`);
  await rename(`${file}.new`, file);
  logger.log({ message: 'listening', ...listeners });
}

function addressOf(app: NestFastifyApplication): string {
  const address: AddressInfo | string | null = app.getHttpServer().address();
  if (address === null || typeof address === 'string') throw new Error('the HTTP listener has no address');
  return address.family === 'IPv6' ? `[${address.address}]:${address.port}` : `${address.address}:${address.port}`;
}

function stopOnSignals(app: NestFastifyApplication, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    logger.log({ message: 'stopping', signal });
    const limit = setTimeout(() => {
      logger.warn({ message: 'stopped without waiting any longer', afterMs: STOP_LIMIT_MS });
      process.exit(0);
    }, STOP_LIMIT_MS);
    app.close().then(
      () => {
        clearTimeout(limit);
        logger.log({ message: 'stopped' });
        process.exitCode = 0;
      },
      (error: unknown) => {
        logger.error({ message: 'stopped with an error', err: error });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
