import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EmbeddedPostgres, freePort, startEmbeddedPostgres } from '../../../scripts/lib/embedded-postgres.mjs';
import { prepareForServer } from '../../../scripts/lib/server-role.ts';
import { type CommandEnd, type TestProcess, runCommand, startProcess } from './processes.ts';
import { eventually } from './wait.ts';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const serverEntry = join(repository, 'services/server/bin/modfleet-server.js');
const cliEntry = join(repository, 'services/cli/bin/modfleet.js');

/** An answer of the API. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** A server with a database of its own, used as a black box: command line and HTTP only. */
export class TestFleet {
  /** Agents on this machine; they end with the fleet. */
  readonly agents: TestProcess[] = [];
  readonly folder: string;
  readonly #durable: boolean;
  #databasePort = 0;
  #postgres: EmbeddedPostgres | undefined;
  /** As the server logs in: not as the superuser, as in `npm start`. */
  #serverUrl = '';
  #server: TestProcess | undefined;
  #env: NodeJS.ProcessEnv = {};
  #serverEnv: NodeJS.ProcessEnv = {};
  #ports: { http: string; session: string; identity: string } | undefined;

  /** `durable`: the database keeps what it has said through a loss of power, as in production, and is as slow. */
  constructor({ durable = false }: { readonly durable?: boolean } = {}) {
    this.#durable = durable;
    this.folder = mkdtempSync(join(tmpdir(), 'modfleet-e2e-'));
  }

  static async start(settings: NodeJS.ProcessEnv = {}): Promise<TestFleet> {
    const fleet = new TestFleet();
    await fleet.startWith(settings);
    return fleet;
  }

  /** Database and server of a fleet whose folder was prepared before. */
  async startWith(settings: NodeJS.ProcessEnv): Promise<void> {
    this.#databasePort = await freePort();
    await this.startDatabase();
    if (this.#postgres !== undefined)
      this.#serverUrl = await prepareForServer(this.#postgres, join(this.folder, 'postgres'));
    await this.startServer(settings);
  }

  get http(): string {
    return `http://${this.#ports?.http}`;
  }

  /** Port of the identity listener on 127.0.0.1. */
  get identityPort(): number {
    return Number(this.#ports?.identity.split(':').at(-1));
  }

  get token(): string {
    return readFileSync(join(this.folder, 'server', 'admin-token'), 'utf8').trim();
  }

  /** Process id of the server that runs now. */
  get serverPid(): number {
    if (this.#server === undefined) throw new Error('the server was not started');
    return this.#server.pid;
  }

  get serverLog(): string {
    return join(this.folder, 'server.log');
  }

  async startDatabase(): Promise<void> {
    this.#postgres = await startEmbeddedPostgres(join(this.folder, 'postgres'), {
      settings: { ...(this.#durable ? {} : { fsync: 'off' }), port: String(this.#databasePort) },
    });
    const { pid, exited } = this.#postgres;
    const killAtExit = (): void => void process.kill(pid, 'SIGQUIT');
    process.once('exit', killAtExit);
    void exited.then(() => process.off('exit', killAtExit));
  }

  /** Starts the stopped database again, where the server expects it. */
  restartDatabase(): Promise<void> {
    return this.startDatabase();
  }

  /** The superuser's, for what only the database can be told. */
  get databaseUrl(): string {
    return this.#postgres?.url() ?? '';
  }

  async stopDatabase(): Promise<void> {
    await this.#postgres?.stop();
  }

  /** Starts the server; a second start listens where the first did. */
  async startServer(settings: NodeJS.ProcessEnv = this.#env): Promise<void> {
    this.#env = settings;
    const state = join(this.folder, 'server');
    mkdirSync(state, { recursive: true });
    const listening = join(state, 'listening.json');
    rmSync(listening, { force: true });
    const any = { http: '127.0.0.1:0', session: '127.0.0.1:0', identity: '127.0.0.1:0' };
    const listen = this.#ports ?? any;
    this.#serverEnv = {
      ...process.env,
      DATABASE_URL: this.#serverUrl,
      MODFLEET_STATE_DIR: state,
      MODFLEET_HTTP_LISTEN: listen.http,
      MODFLEET_SESSION_LISTEN: listen.session,
      MODFLEET_IDENTITY_LISTEN: listen.identity,
      ...settings,
    };
    this.#server = startProcess(
      process.execPath,
      ['--enable-source-maps', serverEntry, 'serve'],
      this.#serverEnv,
      this.serverLog,
    );
    this.#ports = await eventually('the server listens', () =>
      existsSync(listening)
        ? (JSON.parse(readFileSync(listening, 'utf8')) as { http: string; session: string; identity: string })
        : undefined,
    );
    await eventually('the server is ready', async () => (await fetch(`${this.http}/readyz`)).ok || undefined);
  }

  async stopServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#server?.end(signal);
  }

  async api(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    const change = method !== 'GET';
    const answer = await fetch(`${this.http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(change ? { 'idempotency-key': randomUUID() } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  /** Runs `modfleet-server ARGS` on the server's own machine. */
  serverCommand(...args: string[]): Promise<CommandEnd> {
    return runCommand(process.execPath, [serverEntry, ...args], { env: this.#serverEnv, cwd: this.folder });
  }

  /** The same with other settings, where SIGKILL may end it (killed-after-rename.mjs). */
  killedCommand(settings: Readonly<Record<string, string>>, ...args: string[]): Promise<CommandEnd> {
    const preload = fileURLToPath(new URL('killed-after-rename.mjs', import.meta.url));
    return runCommand(process.execPath, ['--import', preload, serverEntry, ...args], {
      env: { ...this.#serverEnv, ...settings },
      cwd: this.folder,
    });
  }

  /** Runs `modfleet ARGS` as a person with the admin token would. */
  modfleet(...args: string[]): Promise<CommandEnd> {
    return runCommand(process.execPath, [cliEntry, ...args], {
      env: { ...process.env, MODFLEET_URL: this.http, MODFLEET_TOKEN: this.token, NO_COLOR: '1', HOME: this.folder },
      cwd: this.folder,
    });
  }

  async joinString(): Promise<string> {
    const made = await this.api('POST', '/api/v1/join-tokens', {});
    if (made.status !== 201) throw new Error(`join token: ${made.status} ${JSON.stringify(made.body)}`);
    return String(made.body['joinString']);
  }

  async stop(): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.end()));
    await this.stopServer();
    await this.stopDatabase();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
