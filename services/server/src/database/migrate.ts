/**
 * Migrations in-process, by the WASM build of Prisma's schema engine: no engine binary is downloaded, and `prisma migrate deploy` still works
 * on the same folder.
 *
 * INVARIANTS
 * - One migrator at a time: an advisory lock of a session of its own is held around the engine. (The engine takes a lock too, but gives up
 *   after 10 s: a long migration would fail all who wait.) Whoever waited finds everything applied and does nothing.
 * - The engine's connection ends before the lock does.
 * - A migration that fails is left marked as failed in _prisma_migrations, as Prisma does; the next start says so instead of going on.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { MigrationList, SchemaEngine as Engine } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { isUnavailable, DatabaseUnavailableError } from './database.errors.ts';
import { migrationProblem, touchesAuditLog } from './migration-problem.ts';

/** Any constant that nothing else in this database locks: "modfleet" in ASCII. */
const MIGRATION_LOCK = '7885072390486090100';
const CONNECT_TIMEOUT_MS = 5_000;

/** A migration that cannot be applied. */
export class MigrationError extends Error {
  readonly code = 'migration_failed';
  constructor(detail: string, cause: unknown) {
    super(`The database could not be migrated: ${detail}`, { cause });
    this.name = 'MigrationError';
  }
}

/** services/server, from src/database and from dist/database alike. */
const serverRoot = join(dirname(fileURLToPath(import.meta.url)), '../..');

/**
 * Brings the database to the newest migration. Safe with any number of callers at once.
 *
 * @param url a direct connection (not through a transaction pooler).
 * @returns names of the migrations that this call applied.
 * @throws MigrationError, DatabaseUnavailableError.
 */
export async function migrate(url: string, migrations = migrationList()): Promise<readonly string[]> {
  return withLock(url, async (lock) => {
    const { upToDate, waiting } = await selectStanding(lock, migrations);
    if (upToDate) return [];
    // Tried and refused by Postgres, it would be in the way as a failed one afterwards.
    if (await isKeptFromAuditLog(lock)) refuseForAuditLog(waiting);
    return applyAll(url, migrations);
  });
}

/** What {@link migrate} would find: nothing to do, or migrations that may or may not change the audit log. */
export async function whatWaits(url: string, migrations = migrationList()): Promise<'nothing' | 'audit log' | 'other'> {
  const { upToDate, waiting } = await withLock(url, (lock) => selectStanding(lock, migrations));
  if (upToDate) return 'nothing';
  return waiting.some(({ script }) => touchesAuditLog(script)) ? 'audit log' : 'other';
}

async function withLock<T>(url: string, work: (lock: pg.Client) => Promise<T>): Promise<T> {
  const lock = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'modfleet-migrate',
  });
  lock.on('error', () => undefined);
  try {
    await lock.connect();
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await work(lock);
  } catch (error) {
    if (error instanceof MigrationError) throw error;
    if (isUnavailable(error)) throw new DatabaseUnavailableError(error);
    throw new MigrationError(migrationProblem(error), error);
  } finally {
    await lock.end().catch(() => undefined);
  }
}

/** A migration of the folder that the database does not have. */
interface WaitingMigration {
  readonly name: string;
  readonly script: string;
}

/** Database against folder. Nothing may be waiting where it is not up to date: one failed, or the database is newer. */
interface Standing {
  readonly upToDate: boolean;
  readonly waiting: readonly WaitingMigration[];
}

/**
 * Up to date is what has exactly the migrations of the folder, each finished and with the checksum that Prisma gives it (SHA-256 of the
 * script, hex). Starting the engine to hear the same takes most of a second; in every other case the engine decides what is done.
 */
async function selectStanding(client: pg.Client, list: MigrationList): Promise<Standing> {
  const wanted = list.migrationDirectories.map(({ path, migrationFile: { content } }) => ({
    name: path,
    script: content.tag === 'ok' ? content.value : '',
  }));
  const found = await client.query<{ present: boolean }>(
    "SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present",
  );
  if (found.rows[0]?.present !== true) return { upToDate: false, waiting: wanted };
  const { rows } = await client.query<{ name: string; checksum: string; finished: boolean }>(
    'SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations WHERE rolled_back_at IS NULL',
  );
  const applied = new Set(rows.filter((row) => row.finished).map((row) => `${row.name} ${row.checksum}`));
  const waiting = wanted.filter(
    ({ name, script }) => !applied.has(`${name} ${createHash('sha256').update(script).digest('hex')}`),
  );
  const exact = applied.size === rows.length && applied.size === wanted.length;
  return { upToDate: exact && waiting.length === 0, waiting };
}

async function isKeptFromAuditLog(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ kept: boolean }>(
    `SELECT NOT pg_has_role(current_user, nspowner, 'MEMBER') AS kept FROM pg_namespace WHERE nspname = 'audit'`,
  );
  return rows[0]?.kept === true;
}

function refuseForAuditLog(waiting: readonly WaitingMigration[]): void {
  const names = waiting.filter(({ script }) => touchesAuditLog(script)).map(({ name }) => name);
  if (names.length === 0) return;
  throw new MigrationError(
    `${names.join(', ')} changes the audit log, which the server's role may only append to; run "modfleet-server migrate --protect" with a superuser's password first (docs/operations.md, "Upgrade")`,
    undefined,
  );
}

async function applyAll(url: string, migrationsList: MigrationList): Promise<readonly string[]> {
  const connections = new WholeScripts(url);
  const engine = await openEngine(connections);
  try {
    const filters = { externalTables: [], externalEnums: [] };
    return (await engine.applyMigrations({ migrationsList, filters })).appliedMigrationNames;
  } catch (error) {
    throw new MigrationError(migrationProblem(error), error);
  } finally {
    engine.free();
    await connections.close();
  }
}

async function openEngine(factory: PrismaPg): Promise<Engine> {
  const { SchemaEngine } = await loadBindings();
  const datamodel = readFileSync(join(serverRoot, 'prisma/schema.prisma'), 'utf8');
  return SchemaEngine.new(
    { datamodels: [['schema.prisma', datamodel]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(factory),
  );
}

let loading: Promise<EngineBindings> | undefined;

/** Instantiates the engine as its package's bundler entry would (Node cannot import .wasm as a module): once, its glue keeps one instance. */
function loadBindings(): Promise<EngineBindings> {
  loading ??= (async () => {
    const bindings = (await import('@prisma/schema-engine-wasm/schema_engine_bg')) as unknown as EngineBindings;
    const require = createRequire(import.meta.url);
    const wasmFile = join(
      dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg')),
      'schema_engine_bg.wasm',
    );
    const { instance } = await WebAssembly.instantiate(readFileSync(wasmFile), {
      './schema_engine_bg.js': unrefTimers(bindings),
    });
    bindings.__wbg_set_wasm(instance.exports);
    (instance.exports as { __wbindgen_start?: () => void }).__wbindgen_start?.();
    return bindings;
  })();
  return loading;
}

/** The engine leaves its lock's 10 s timer behind: it must not keep a finished process waiting. */
function unrefTimers(bindings: object): object {
  const unref =
    (start: (...args: unknown[]) => NodeJS.Timeout) =>
    (...args: unknown[]) =>
      start(...args).unref();
  return Object.fromEntries(
    Object.entries(bindings).map(([name, value]) => [
      name,
      name.startsWith('__wbg_setTimeout_') ? unref(value) : value,
    ]),
  );
}

type Adapter = Awaited<ReturnType<PrismaPg['connect']>>;

/**
 * The adapter splits a script at every semicolon, inside comments and function bodies too. Sent whole instead, Postgres parses it, and runs it
 * in one implicit transaction.
 */
class WholeScripts extends PrismaPg {
  readonly #open: Adapter[] = [];

  constructor(url: string) {
    super({ connectionString: url, max: 1, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  }

  override async connect(): Promise<Adapter> {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => void (await adapter.underlyingDriver().query(script));
    this.#open.push(adapter);
    return adapter;
  }

  async close(): Promise<void> {
    for (const adapter of this.#open.splice(0)) await adapter.dispose();
  }
}

interface EngineBindings {
  readonly SchemaEngine: typeof Engine;
  __wbg_set_wasm(exports: object): void;
}

/** Node has it; TypeScript declares it only for browsers (lib dom). */
declare const WebAssembly: {
  instantiate(
    bytes: Uint8Array,
    imports: Readonly<Record<string, object>>,
  ): Promise<{ readonly instance: { readonly exports: object } }>;
};

/** The migrations folder, in the engine's words. */
export function migrationList(folder = join(serverRoot, 'prisma/migrations')): MigrationList {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  return {
    baseDir: folder,
    lockfile: { path: 'migration_lock.toml', content: readFileSync(join(folder, 'migration_lock.toml'), 'utf8') },
    shadowDbInitScript: '',
    migrationDirectories: names.map((path) => ({
      path,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(join(folder, path, 'migration.sql'), 'utf8') },
      },
    })),
  };
}
