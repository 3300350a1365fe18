import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DestinationStream } from 'pino';
import type { ZodType } from 'zod';
import { ApiTokenService } from '../access/api-token.service.ts';
import type { Problem } from '../api-types.ts';
import { createApp } from '../app.ts';
import { readServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';

export interface ApiCall {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly text?: string;
  /** null: no Authorization header. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswered<T> {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: T;
}

/** The whole server on a test database, called without a socket. */
export class ApiServer {
  readonly app: NestFastifyApplication;
  readonly database: DatabaseService;
  readonly token: string;
  readonly stateDir: string;
  /** Every route that really exists, HEAD included. */
  readonly routes: readonly string[];

  private constructor(app: NestFastifyApplication, token: string, stateDir: string, routes: readonly string[]) {
    this.app = app;
    this.database = app.get(DatabaseService);
    this.token = token;
    this.stateDir = stateDir;
    this.routes = routes;
  }

  static async start(
    databaseUrl: string,
    settings: Readonly<Record<string, string>> = {},
    logTo?: DestinationStream,
  ): Promise<ApiServer> {
    const stateDir = await mkdtemp(join(tmpdir(), 'modfleet-api-test-'));
    const config = readServerConfig({
      DATABASE_URL: databaseUrl,
      MODFLEET_STATE_DIR: stateDir,
      MODFLEET_HTTP_LISTEN: '127.0.0.1:0',
      MODFLEET_SESSION_LISTEN: '127.0.0.1:0',
      MODFLEET_IDENTITY_LISTEN: '127.0.0.1:0',
      MODFLEET_LOG_LEVEL: 'silent',
      // Tests ask often, and from one address.
      MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
      MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
      MODFLEET_RATE_FAILURES_PER_MINUTE: '0',
      ...settings,
    });
    const routes: string[] = [];
    const app = await createApp(config, {
      ...(logTo === undefined ? {} : { logTo }),
      onRoute: ({ method, url }) => routes.push(...[method].flat().map((each) => `${each} ${url}`)),
    });
    const { token } = await app.get(ApiTokenService).create('tests', null);
    return new ApiServer(app, token, stateDir, routes);
  }

  async call<T = Problem>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT',
    url: string,
    call: ApiCall = {},
  ): Promise<ApiAnswered<T>> {
    const payload = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    const answer = await this.app.inject({
      method: method === 'PUT' ? 'PUT' : method,
      url,
      headers: {
        ...(call.token === null ? {} : { authorization: `Bearer ${call.token ?? this.token}` }),
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
        ...call.headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(answer.payload) as T };
  }

  /** A read that must succeed, checked against the documented schema: a field too many or too few fails. */
  async read<T>(path: string, schema: ZodType<T>): Promise<T> {
    const answer = await this.call<unknown>('GET', `/api/v1${path}`);
    if (answer.status !== 200) throw new Error(`GET ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return schema.parse(answer.body);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await rm(this.stateDir, { recursive: true, force: true });
  }
}
