import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiTokenService } from '../../access/api-token.service.ts';
import { AgentGateway } from '../../agent-session/agent-gateway.ts';
import { updateResumed } from '../../command-stop/command-stop.queries.ts';
import { createApp } from '../../app.ts';
import { readServerConfig } from '../../config/server-config.ts';
import { DatabaseService } from '../../database/database.service.ts';
import { openSession } from '../../testing/open-session.ts';
import { REPLICA_ID } from '../../presence/replica-id.ts';
import { QueriesService } from '../../queries/queries.service.ts';
import { ActionDispatcher } from '../action-dispatcher.service.ts';
import { ActionSweeper } from '../action-sweeper.service.ts';
import { type ConnectOptions, FakeHost } from './fake-host.ts';

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** One server process on a test database, with its HTTP API on a free port. */
export class ActionStack {
  readonly app: NestFastifyApplication;
  readonly url: string;
  readonly databaseUrl: string;
  readonly #token: string;
  readonly stateDir: string;
  readonly #hosts: FakeHost[] = [];

  private constructor(app: NestFastifyApplication, url: string, databaseUrl: string, token: string, stateDir: string) {
    this.app = app;
    this.url = url;
    this.databaseUrl = databaseUrl;
    this.#token = token;
    this.stateDir = stateDir;
  }

  static async start(databaseUrl: string): Promise<ActionStack> {
    const stateDir = await sharedStateDir(databaseUrl);
    const app = await createApp(
      readServerConfig({
        DATABASE_URL: databaseUrl,
        MODFLEET_HTTP_LISTEN: '127.0.0.1:0',
        MODFLEET_SESSION_LISTEN: '127.0.0.1:0',
        MODFLEET_IDENTITY_LISTEN: '127.0.0.1:0',
        MODFLEET_STATE_DIR: stateDir,
        MODFLEET_LOG_LEVEL: 'silent',
        MODFLEET_DB_POOL_SIZE: '6',
        MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
        MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
        MODFLEET_RATE_FAILURES_PER_MINUTE: '0',
      }),
    );
    const { token } = await app.get(ApiTokenService).create('ops', null);
    await app.listen(0, '127.0.0.1');
    return new ActionStack(app, await app.getUrl(), databaseUrl, token, stateDir);
  }

  get database(): DatabaseService {
    return this.app.get(DatabaseService);
  }

  get replicaId(): string {
    return this.app.get<string>(REPLICA_ID);
  }

  get sweeper(): ActionSweeper {
    return this.app.get(ActionSweeper);
  }

  async enroll(name: string): Promise<FakeHost> {
    const host = await FakeHost.enroll(this.database, name);
    this.#hosts.push(host);
    return host;
  }

  connect(host: FakeHost, options: ConnectOptions = {}): Promise<void> {
    return host.connect(this.app.get(AgentGateway), this.database, this.replicaId, options);
  }

  /** A session whose row could not be written: Postgres is away. */
  connectBlind(host: FakeHost): Promise<void> {
    return host.attach(this.app.get(AgentGateway), 1);
  }

  /** Writes the row of a session that is there already. */
  async openSession(host: FakeHost): Promise<void> {
    await openSession(this.database, {
      hostId: host.id,
      replicaId: this.replicaId,
      bootId: 'boot',
      address: '127.0.0.1',
    });
  }

  /** What a wake-up for the host does. */
  async wake(host: FakeHost): Promise<void> {
    await this.app.get(ActionDispatcher).wake(host.id);
  }

  /** What the sweep does every few seconds. */
  async driveAll(): Promise<void> {
    await this.app.get(ActionDispatcher).driveAll();
  }

  /** Calls the API; changes get a new Idempotency-Key unless one is given. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await this.fetch(method, path, body, headers);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === '' ? null : JSON.parse(text)) as T };
  }

  fetch(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Resolves when nothing is being sent to any host. */
  idle(): Promise<void> {
    return this.app.get(ActionDispatcher).idle();
  }

  /** Questions to hosts that are out. */
  openQueries(): number {
    return this.app.get(QueriesService).open;
  }

  /** As after the start: no hosts, no actions, no plans, no freeze. */
  async reset(): Promise<void> {
    for (const host of this.#hosts.splice(0)) await host.disconnect(this.database);
    await this.idle();
    // Their watchers lose their leases, and take no lock any more.
    await this.database.query(
      `UPDATE rollout SET lease_term = lease_term + 1, lease_expires_at = '-infinity', ended_at = coalesce(ended_at, now())`,
    );
    await this.database.query(`UPDATE rollout_control SET answer = '' WHERE answer IS NULL`);
    await this.database.query(
      'TRUNCATE action, action_transition, unknown_result, host, host_session, host_inventory, idempotency_key, rollout_plan CASCADE',
    );
    await this.database.query('UPDATE fleet_freeze SET frozen = false, by = NULL, reason = NULL, at = NULL');
    await this.database.tx('READ COMMITTED', updateResumed);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await releaseStateDir(this.databaseUrl);
  }
}

/** Replicas of one database share their keys. By the database's name: some reach it through a gate. */
const stateDirs = new Map<string, { readonly path: Promise<string>; users: number }>();

function sharedStateDir(databaseUrl: string): Promise<string> {
  const name = new URL(databaseUrl).pathname;
  const shared = stateDirs.get(name) ?? { path: mkdtemp(join(tmpdir(), 'modfleet-actions-')), users: 0 };
  stateDirs.set(name, shared);
  shared.users += 1;
  return shared.path;
}

async function releaseStateDir(databaseUrl: string): Promise<void> {
  const name = new URL(databaseUrl).pathname;
  const shared = stateDirs.get(name);
  if (shared === undefined || (shared.users -= 1) > 0) return;
  stateDirs.delete(name);
  await rm(await shared.path, { recursive: true, force: true });
}

/** One event of a stream. */
export interface StreamedEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Events of a text/event-stream answer, as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<StreamedEvent> {
  let pending = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    pending += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = pending.split('\n\n');
    pending = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block
          .split('\n')
          .map((line): [string, string] => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const event = fields.get('event');
      if (event !== undefined)
        yield {
          id: fields.get('id'),
          event,
          data: JSON.parse(fields.get('data') ?? 'null') as Record<string, unknown>,
        };
    }
  }
}
