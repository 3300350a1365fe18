import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../commands/audit.ts';
import { readServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { MigrationError, migrate, migrationList } from '../database/migrate.ts';
import { RetentionService } from '../retention/retention.service.ts';
import { ApiServer } from '../testing/api-server.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { AuditWatch } from './audit-watch.service.ts';
import { migrateProtected, ProtectRefusedError, urlAs } from './protected-migration.ts';
import { selectProtection } from './verify.queries.ts';

const ROLE = `modfleet_protected_${process.pid}`;
const PASSWORD = `of the server's: ü`;
const ALL = migrationList();
const names = ALL.migrationDirectories.map(({ path }) => path);

let postgres: TestPostgres;
let stateDir: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  stateDir = await mkdtemp(join(tmpdir(), 'modfleet-protected-'));
});
afterAll(async () => {
  await postgres.close();
  await rm(stateDir, { recursive: true, force: true });
});

/** The migrations up to number `count`, and after them `scripts`. */
function migrations(count: number, ...scripts: string[]): typeof ALL {
  const later = scripts.map((value, index) => ({
    path: `9${index}_later`,
    migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } },
  }));
  return { ...ALL, migrationDirectories: [...ALL.migrationDirectories.slice(0, count), ...later] };
}

/** An empty database: as the superuser, and as the server. */
async function emptyDatabase(): Promise<{ admin: string; server: string }> {
  const { url } = await postgres.createEmptyDatabase();
  return { admin: url, server: urlAs(url, ROLE, PASSWORD) };
}

async function on<T>(databaseUrl: string, work: (database: DatabaseService) => Promise<T>): Promise<T> {
  const database = new DatabaseService({ databaseUrl, dbPoolSize: 2 });
  try {
    return await work(database);
  } finally {
    await database.onApplicationShutdown();
  }
}

/** What of the audit log the server's role could change. */
const mayChange = (serverUrl: string): Promise<unknown> =>
  on(serverUrl, async (database) => {
    const { role, ...may } = await selectProtection(database);
    expect(role).toBe(ROLE);
    return Object.entries(may)
      .filter(([, yes]) => yes)
      .map(([what]) => what);
  });

describe('migrateProtected', () => {
  it('makes everything from nothing, once, whoever else does the same', async () => {
    const { admin, server } = await emptyDatabase();
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrateProtected(admin, server)));
    expect(applied.flat().sort()).toEqual(names);
    expect(await migrateProtected(admin, server)).toEqual([]);
    expect(await mayChange(server)).toEqual([]);
    // As the server does at its start.
    expect(await migrate(server)).toEqual([]);
    // What a run leaves that was killed halfway.
    await on(admin, (database) => database.query(`GRANT modfleet_audit TO ${ROLE}`));
    expect(await mayChange(server)).toContain('ownsTables');
    expect(await migrateProtected(admin, server)).toEqual([]);
    expect(await mayChange(server)).toEqual([]);
  });

  it.each([1, 5, 9, 10])('takes over what a superuser made with the first %i migrations', async (count) => {
    const { admin, server } = await emptyDatabase();
    await migrate(admin, migrations(count));
    await on(admin, (database) => database.query(`CREATE TABLE kept AS SELECT 'whole' AS kept`));
    expect(await migrateProtected(admin, server)).toEqual(names.slice(count));
    expect(await mayChange(server)).toEqual([]);
    await on(server, async (database) => {
      expect(await database.query('SELECT kept FROM kept')).toEqual([{ kept: 'whole' }]);
      expect(
        await database.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
                                 AND relkind <> 'c' AND pg_get_userbyid(relowner) <> current_user`),
      ).toEqual([]);
    });
  });

  it('applies a later migration of the audit log, and keeps the server out of what that makes', async () => {
    const { admin, server } = await emptyDatabase();
    await migrateProtected(admin, server);
    const later = migrations(
      names.length,
      `ALTER TABLE audit.entry ADD COLUMN note text;
       CREATE TABLE audit.later (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
       CREATE FUNCTION audit.later() RETURNS int LANGUAGE sql AS 'SELECT 1';
       CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1);`,
      'ALTER TABLE later ADD COLUMN note text;',
    );
    // The server alone says what to do, and leaves nothing half done.
    await expect(migrate(server, later)).rejects.toThrow(/90_later changes the audit log.*migrate --protect/);
    expect(await migrateProtected(admin, server, later)).toEqual(['90_later', '91_later']);
    expect(await mayChange(server)).toEqual([]);
    await on(server, async (database) => {
      await database.query('INSERT INTO audit.later DEFAULT VALUES');
      expect(await database.query('SELECT id FROM audit.later')).toEqual([{ id: 1 }]);
      await database.query('DROP TABLE later');
      for (const statement of ['DELETE FROM audit.later', 'DROP TABLE audit.later', 'SELECT audit.later()'])
        await expect(database.query(statement), statement).rejects.toMatchObject({ code: '42501' });
    });
  });

  it('lets a server that is kept out of the audit log apply what has nothing to do with it', async () => {
    const { admin, server } = await emptyDatabase();
    await migrateProtected(admin, server);
    expect(await migrate(server, migrations(names.length, 'CREATE TABLE later (id int);'))).toEqual(['90_later']);
  });

  it('keeps the server out again after a migration that failed', async () => {
    const { admin, server } = await emptyDatabase();
    await migrateProtected(admin, server);
    const broken = migrations(names.length, 'ALTER TABLE audit.entry ADD COLUMN note text; SELECT 1 / 0;');
    await expect(migrateProtected(admin, server, broken)).rejects.toBeInstanceOf(MigrationError);
    expect(await mayChange(server)).toEqual([]);
  });

  it("runs nothing that the server's role left behind as a superuser", async () => {
    const { admin, server } = await emptyDatabase();
    await migrateProtected(admin, server);
    await on(server, async (database) => {
      await database.query(`CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN EXECUTE 'ALTER ROLE ${ROLE} SUPERUSER'; RETURN NEW; END $$`);
      await database.query(
        'CREATE TRIGGER trap BEFORE INSERT ON _prisma_migrations FOR EACH ROW EXECUTE FUNCTION trap()',
      );
      // A better match than PostgreSQL's own, for whoever looks into `public`.
      await database.query(`CREATE FUNCTION to_regclass(unknown_name varchar) RETURNS regclass LANGUAGE plpgsql AS $$
        BEGIN EXECUTE 'ALTER ROLE ${ROLE} SUPERUSER'; RETURN NULL; END $$`);
    });
    const later = migrations(names.length, 'CREATE TABLE later (id int);');
    await expect(migrateProtected(admin, server, later)).rejects.toThrow(/permission denied|must be superuser/);
    expect(await mayChange(server)).toEqual([]);
  });

  it('refuses a superuser as the server, and somebody else as the superuser', async () => {
    const { admin, server } = await emptyDatabase();
    await expect(migrateProtected(admin, admin)).rejects.toBeInstanceOf(ProtectRefusedError);
    await expect(migrateProtected(admin, urlAs(admin, 'modfleet_audit', 'x'))).rejects.toThrow(/owns the audit log/);
    await migrateProtected(admin, server);
    await expect(migrateProtected(server, server)).rejects.toThrow(`takes a superuser, and ${ROLE} is none`);
  });
});

describe('a server that may only append to its audit log', () => {
  it('decides, seals, freezes, keeps house, and can change nothing of what it wrote', async () => {
    const { admin, server: url } = await emptyDatabase();
    // The database of before: a superuser's, that a server is at work on.
    await migrate(admin);
    const before = await ApiServer.start(admin, { MODFLEET_STATE_DIR: stateDir });
    await before.call('POST', '/api/v1/freeze', { body: { reason: 'before' } });
    let handedOver = false;
    const answers = new Set<number>();
    const asks = Array.from({ length: 4 }, async () => {
      while (!handedOver) answers.add((await before.call('POST', '/api/v1/join-tokens', { body: {} })).status);
    });
    await migrateProtected(admin, url).finally(() => (handedOver = true));
    await Promise.all(asks);
    expect([...answers]).toEqual([201]);
    await before.stop();

    const server = await ApiServer.start(url, { MODFLEET_STATE_DIR: stateDir });
    const { database } = server;
    try {
      expect((await server.call('POST', '/api/v1/thaw', { body: {} })).status).toBe(200);
      expect((await server.call('POST', '/api/v1/join-tokens', { body: {} })).status).toBe(201);
      await database.query(`UPDATE idempotency_key SET created_at = now() - interval '90 days'`);
      await database.query(
        `CREATE TABLE kmod_event_20200106 PARTITION OF kmod_event FOR VALUES FROM ('2020-01-06') TO ('2020-01-13')`,
      );
      await server.app.get(RetentionService).round();
      expect(
        await database.query(
          `SELECT to_regclass('kmod_event_20200106') AS old, (SELECT count(*) FROM idempotency_key) AS keys`,
        ),
      ).toEqual([{ old: null, keys: 0 }]);
      await server.app.get(AuditWatch).round();
      const lines: string[] = [];
      const config = readServerConfig({ DATABASE_URL: url, MODFLEET_STATE_DIR: stateDir });
      expect(await audit(config, ['verify'], (line) => lines.push(line))).toBe(0);
      expect(lines).toContain(`append-only: enforced: the server's role ${ROLE} may only read and append`);
      expect(lines).toContainEqual(expect.stringMatching(/^rows: ([5-9]|\d\d), .*; without a seal: 0$/));
      for (const table of ['audit.entry', 'audit.seal'])
        for (const statement of [
          `UPDATE ${table} SET at = now()`,
          `DELETE FROM ${table}`,
          `TRUNCATE ${table}`,
          `ALTER TABLE ${table} DISABLE TRIGGER ALL`,
          `ALTER TABLE ${table} OWNER TO ${ROLE}`,
          'SET session_replication_role = replica',
          'SET ROLE modfleet_audit',
          'SET SESSION AUTHORIZATION modfleet_audit',
          `GRANT modfleet_audit TO ${ROLE}`,
          `ALTER ROLE ${ROLE} SUPERUSER`,
          'DROP SCHEMA audit CASCADE',
          'CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
        ])
          await expect(database.query(statement), statement).rejects.toMatchObject({ code: '42501' });
      // That one is only warned about.
      await database.query(`GRANT UPDATE, DELETE ON audit.entry, audit.seal TO ${ROLE}`);
      expect(await mayChange(url)).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});
