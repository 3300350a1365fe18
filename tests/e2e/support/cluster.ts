import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedPostgres, freePort, startEmbeddedPostgres } from '../../../scripts/lib/embedded-postgres.mjs';
import { prepareForServer } from '../../../scripts/lib/server-role.ts';
import { TcpProxy } from '../../../services/server/src/testing/tcp-proxy.ts';
import { repository } from './fleet.ts';
import { startProcess, type TestProcess } from './processes.ts';
import { TcpBalancer } from './tcp-balancer.ts';
import { eventually } from './wait.ts';

const serverEntry = join(repository, 'services/server/bin/modfleet-server.js');

/** One of the servers. */
export interface ClusterServer {
  readonly number: number;
  /** Agents reach it here, past the balancer. */
  readonly host: string;
  readonly folder: string;
  http: string;
  /** Its id among the replicas; another one after each start. */
  replica: string;
  process: TestProcess;
}

export interface ApiReply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Where the servers of a cluster run, and how they are reached. */
export interface ClusterPlace {
  /** What stands before the command of a server. */
  readonly within: readonly string[];
  /** Address of a server's listeners for agents, by its number. */
  readonly agents: (number: number) => string;
  /** Address of every server's API. */
  readonly http: string;
  /** Address of this machine by which servers reach PostgreSQL. */
  readonly database: string;
  readonly settings: NodeJS.ProcessEnv;
}

/** On this machine, beside everything else. */
const HERE: ClusterPlace = {
  within: [],
  agents: (number) => `127.0.0.${number + 2}`,
  http: '127.0.0.1',
  database: '127.0.0.1',
  settings: {},
};

/**
 * Several servers on one PostgreSQL behind a balancer, as docs/operations.md says to set them up: each with a state folder of its own, `ca` and `keys` copied
 * from the first.
 */
export class TestCluster {
  readonly folder: string;
  readonly servers: ClusterServer[] = [];
  /** The servers' way to PostgreSQL for LISTEN alone: what may be cut to have their bus down. */
  readonly listenLine: TcpProxy;
  readonly identityPort: number;
  database: pg.Client;
  readonly sessionPort: number;
  #postgres: EmbeddedPostgres;
  #asking: Promise<unknown> = Promise.resolve();
  readonly #serverUrl: string;
  readonly #settings: NodeJS.ProcessEnv;
  readonly #place: ClusterPlace;
  readonly #directUrl: string;
  readonly #balancers: readonly TcpBalancer[];

  private constructor(parts: {
    folder: string;
    postgres: EmbeddedPostgres;
    serverUrl: string;
    direct: Awaited<ReturnType<typeof TcpProxy.before>>;
    ports: readonly [number, number];
    balancers: readonly TcpBalancer[];
    database: pg.Client;
    settings: NodeJS.ProcessEnv;
    place: ClusterPlace;
  }) {
    this.folder = parts.folder;
    this.#postgres = parts.postgres;
    this.#serverUrl = parts.serverUrl;
    this.listenLine = parts.direct.proxy;
    this.#directUrl = parts.direct.url;
    [this.sessionPort, this.identityPort] = parts.ports;
    this.#balancers = parts.balancers;
    this.database = parts.database;
    this.#settings = parts.settings;
    this.#place = parts.place;
  }

  /** @param settings of every server. @param place elsewhere than here no balancer reaches them. */
  static async start(count: number, settings: NodeJS.ProcessEnv = {}, place = HERE): Promise<TestCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'modfleet-cluster-'));
    const postgres = await startPostgres(folder, await freePort());
    const serverUrl = await prepareForServer(postgres, join(folder, 'postgres'));
    const ports = [await freePort(), await freePort()] as const;
    const database = await connected(postgres);
    const cluster = new TestCluster({
      folder,
      postgres,
      serverUrl,
      direct: await TcpProxy.before(serverUrl, place.database),
      ports,
      balancers: place === HERE ? await Promise.all(ports.map((port) => TcpBalancer.listen(port))) : [],
      database,
      settings,
      place,
    });
    for (let each = 0; each < count; each += 1) await cluster.add();
    return cluster;
  }

  get token(): string {
    return readFileSync(join(this.folder, 'server-0', 'admin-token'), 'utf8').trim();
  }

  /** One more server, listed at the balancer. */
  async add(): Promise<ClusterServer> {
    const number = this.servers.length;
    const folder = join(this.folder, `server-${number}`);
    mkdirSync(folder, { mode: 0o700 });
    if (number > 0)
      for (const shared of ['ca', 'keys'])
        cpSync(join(this.folder, 'server-0', shared), join(folder, shared), { recursive: true });
    const host = this.#place.agents(number);
    const server = { number, host, folder, ...(await this.#run(number, host, folder)) };
    this.servers.push(server);
    for (const balancer of this.#balancers) balancer.add(host);
    return server;
  }

  /** The same server again, after it ended. */
  async restart(server: ClusterServer): Promise<void> {
    Object.assign(server, await this.#run(server.number, server.host, server.folder));
  }

  async api(
    server: ClusterServer,
    method: string,
    path: string,
    body?: unknown,
    key: string = randomUUID(),
  ): Promise<ApiReply> {
    const answer = await fetch(`${server.http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }

  /** Rows, as the superuser sees them. A connection takes one question at a time. */
  async rows<T>(sql: string, params: readonly unknown[] = []): Promise<T[]> {
    const asked = this.#asking.then(() => this.database.query(sql, [...params]));
    this.#asking = asked.catch(() => undefined);
    return (await asked).rows as T[];
  }

  /** Hosts that are connected, by the number of their server. */
  async held(): Promise<number[]> {
    const rows = await this.rows<{ replica: string; hosts: number }>(
      'SELECT replica_id AS replica, count(*)::int AS hosts FROM session_presence WHERE live GROUP BY 1',
    );
    return this.servers.map(({ replica }) => rows.find((row) => row.replica === replica)?.hosts ?? 0);
  }

  /** PostgreSQL stops, is away for so long, and starts again where it was. */
  async databaseAway(ms: number): Promise<void> {
    const port = Number(new URL(this.#postgres.url()).port);
    await this.database.end();
    await this.#postgres.stop();
    await delay(ms);
    this.#postgres = await startPostgres(this.folder, port);
    this.database = await connected(this.#postgres);
  }

  async stop(): Promise<void> {
    for (const balancer of this.#balancers) balancer.close();
    await Promise.all(this.servers.map(({ process: server }) => server.end()));
    await this.listenLine.cut();
    await this.database.end();
    await this.#postgres.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #run(
    number: number,
    host: string,
    folder: string,
  ): Promise<Pick<ClusterServer, 'process' | 'http' | 'replica'>> {
    const listening = join(folder, 'listening.json');
    rmSync(listening, { force: true });
    const { within, http: api, settings: demanded } = this.#place;
    const [command, ...args] = [...within, process.execPath, '--enable-source-maps', serverEntry, 'serve'];
    const server = startProcess(
      command,
      args,
      {
        ...process.env,
        // Elsewhere all that servers ask of PostgreSQL takes the one way that there is.
        DATABASE_URL: this.#place === HERE ? this.#serverUrl : this.#directUrl,
        DATABASE_DIRECT_URL: this.#directUrl,
        MODFLEET_STATE_DIR: folder,
        MODFLEET_HTTP_LISTEN: `${api}:0`,
        MODFLEET_SESSION_LISTEN: `${host}:${this.sessionPort}`,
        MODFLEET_IDENTITY_LISTEN: `${host}:${this.identityPort}`,
        MODFLEET_AGENT_PROXIES: '127.0.0.1',
        MODFLEET_RATE_JOINS_PER_SECOND: '0',
        MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
        MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
        ...demanded,
        ...this.#settings,
      },
      join(folder, 'server.log'),
    );
    const { http: address, replica } = await eventually(`server ${number} listens`, () =>
      existsSync(listening)
        ? (JSON.parse(readFileSync(listening, 'utf8')) as { http: string; replica: string })
        : undefined,
    );
    const http = `http://${address}`;
    await eventually(`server ${number} is ready`, async () => (await fetch(`${http}/readyz`)).ok || undefined);
    return { process: server, http, replica };
  }
}

/** It ends with this process. */
async function startPostgres(folder: string, port: number): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres(join(folder, 'postgres'), {
    settings: { fsync: 'off', port: String(port) },
  });
  const killAtExit = (): void => void process.kill(postgres.pid, 'SIGQUIT');
  process.once('exit', killAtExit);
  void postgres.exited.then(() => process.off('exit', killAtExit));
  return postgres;
}

async function connected(postgres: EmbeddedPostgres): Promise<pg.Client> {
  const database = new pg.Client(postgres.url());
  await database.connect();
  database.on('error', () => undefined);
  return database;
}
