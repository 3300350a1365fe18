/**
 * A Postgres for integration tests: DATABASE_URL, else Testcontainers where an engine has the image, else the embedded server.
 * MODFLEET_TEST_POSTGRES=embedded|testcontainers forces one of the two.
 *
 * One server a run (shared-postgres.ts), one template built by the real migrations on it, one clone of it a test database. A file that runs without
 * that has a server of its own. Everything made here is removed by `close()`.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { removeAbandoned, startEmbeddedPostgres } from '../../../../scripts/lib/embedded-postgres.mjs';
import { migrate } from '../database/migrate.ts';

/** Which kind of server this is: said in test titles and in the summary. */
export type TestPostgresKind = 'given' | 'testcontainers' | 'embedded';

/** A server that tests make databases on. */
export interface TestPostgres {
  readonly kind: TestPostgresKind;
  /** A new migrated database; `drop()` is optional, `close()` drops what is left. */
  createDatabase(): Promise<TestDatabase>;
  /** A new empty database, without migrations. */
  createEmptyDatabase(): Promise<TestDatabase>;
  close(): Promise<void>;
}

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  drop(): Promise<void>;
}

export interface TestServer {
  readonly kind: TestPostgresKind;
  readonly adminUrl: string;
  /** A database with all migrations, which others are cloned of; undefined: none yet. */
  readonly template?: string | undefined;
  /** Others use it too: what a file has made it drops. */
  readonly isShared: boolean;
  stop(): Promise<void>;
}

const IMAGE = 'postgres:18';
const FOLDER_PREFIX = 'modfleet-test-pg-';
/** Test data need not survive a crash: half the time goes without these. */
const FAST_SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** Test databases on this server. */
export async function databasesOn(server: TestServer): Promise<TestPostgres> {
  const suffix = randomBytes(6).toString('hex');
  const template = server.template ?? `modfleet_template_${suffix}`;
  const made = new Set<string>();
  const admin = new pg.Client({ connectionString: server.adminUrl });
  admin.on('error', () => undefined);
  await admin.connect();
  let templateReady = server.template === undefined ? undefined : Promise.resolve();
  // CREATE DATABASE … TEMPLATE refuses while another copy runs: one after the other.
  let queue: Promise<unknown> = Promise.resolve();
  const exclusively = <T>(work: () => Promise<T>): Promise<T> => {
    const next = queue.then(work);
    queue = next.catch(() => undefined);
    return next;
  };
  const create = async (from?: string): Promise<TestDatabase> => {
    const name = `modfleet_test_${suffix}_${made.size}`;
    made.add(name);
    await exclusively(() => admin.query(`CREATE DATABASE ${name}${from === undefined ? '' : ` TEMPLATE ${from}`}`));
    return {
      name,
      url: withDatabase(server.adminUrl, name),
      drop: () => exclusively(() => dropDatabase(admin, name)).then(() => void made.delete(name)),
    };
  };
  return {
    kind: server.kind,
    createEmptyDatabase: () => create(),
    createDatabase: async () => {
      templateReady ??= exclusively(async () => {
        made.add(template);
        await admin.query(`CREATE DATABASE ${template}`);
        await migrate(withDatabase(server.adminUrl, template));
      });
      await templateReady;
      return create(template);
    },
    close: async () => {
      if (server.isShared) for (const name of made) await dropDatabase(admin, name);
      await admin.end();
      await server.stop();
    },
  };
}

export async function dropDatabase(admin: pg.Client, name: string): Promise<void> {
  await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

export function withDatabase(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export async function chooseServer(): Promise<TestServer> {
  const wanted = process.env['MODFLEET_TEST_POSTGRES'];
  const given = process.env['DATABASE_URL'];
  if (wanted === 'testcontainers') return containerServer();
  if (wanted === 'embedded') return embeddedServer();
  if (given !== undefined && given !== '')
    return { kind: 'given', adminUrl: given, isShared: true, stop: () => Promise.resolve() };
  if (!engineAnswers()) return embeddedServer();
  // An engine that answers may still have no image and no way to fetch one.
  return containerServer().catch((error: unknown) => {
    console.warn(`no container of ${IMAGE} (${String(error).slice(0, 200)}): the embedded server is used`);
    return embeddedServer();
  });
}

function engineAnswers(): boolean {
  try {
    execFileSync('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 3_000, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function containerServer(): Promise<TestServer> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const container = await new PostgreSqlContainer(IMAGE).start();
  return {
    kind: 'testcontainers',
    isShared: false,
    adminUrl: container.getConnectionUri(),
    stop: async () => void (await container.stop()),
  };
}

async function embeddedServer(): Promise<TestServer> {
  removeAbandoned(tmpdir(), FOLDER_PREFIX);
  const folder = mkdtempSync(join(tmpdir(), FOLDER_PREFIX));
  const server = await startEmbeddedPostgres(folder, { settings: FAST_SETTINGS });
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { kind: 'embedded', adminUrl: server.url(), isShared: false, stop };
}
