import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Prisma } from '../generated/prisma/client.ts';
import { type TestPostgres, startTestPostgres } from '../testing/postgres.ts';
import { prismaColumns } from '../testing/prisma-columns.ts';
import { DatabaseService } from './database.service.ts';
import { MigrationError, migrate, migrationList } from './migrate.ts';

describe('migrate', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());

  it('lets ten migrators at once apply every migration once', async () => {
    const { url } = await postgres.createEmptyDatabase();
    const applied = await Promise.all(Array.from({ length: 10 }, () => migrate(url)));
    const names = migrationList().migrationDirectories.map((directory) => directory.path);
    expect(applied.flat().sort()).toEqual(names);
    expect(
      await rows(url, 'SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1'),
    ).toEqual(names.map((name) => ({ name })));
    expect(await migrate(url)).toEqual([]);
  });

  it('says plainly when the database is in the way', async () => {
    const { url } = await postgres.createEmptyDatabase();
    await rows(url, 'CREATE TABLE host (id int)');
    await expect(migrate(url)).rejects.toBeInstanceOf(MigrationError);
    // A migration is all or nothing: of its tables none was made.
    expect(await rows(url, `SELECT to_regclass('kmod') AS kmod`)).toEqual([{ kmod: null }]);
  });

  it('makes every table and column that schema.prisma names', async () => {
    const { url } = await postgres.createDatabase();
    const database = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
    try {
      // (The engine's own comparison cannot read PostgreSQL 18's catalogue through the driver adapter.) Every column of every model is read.
      const models = Object.keys(Prisma.ModelName).map((name) => name.charAt(0).toLowerCase() + name.slice(1));
      expect(models).toContain('hostSession');
      for (const model of models)
        await (database.prisma as unknown as Record<string, { findFirst(): Promise<unknown> }>)[model]?.findFirst();
    } finally {
      await database.onApplicationShutdown();
    }
  });

  it('makes no table or column that schema.prisma does not know, of another type, or with another nullability', async () => {
    const { url } = await postgres.createDatabase();
    const columns = await rows(
      url,
      `SELECT c.table_name || '.' || c.column_name || ' ' || c.udt_name || CASE c.is_nullable WHEN 'YES' THEN ' null' ELSE '' END AS line
         FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
          AND c.table_name <> '_prisma_migrations' AND c.table_name !~ '^(kmod_event|host_seen)'`,
    );
    expect(columns.map((column) => (column as { line: string }).line).sort()).toEqual(prismaColumns());
  });

  it('names an unreachable database without its password', async () => {
    const failure = await migrate('postgresql://someone:secret-word@127.0.0.1:1/none').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'database_unavailable' });
    expect(String(failure)).not.toContain('secret-word');
  });
});

async function rows(url: string, sql: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<object>(sql)).rows;
  } finally {
    await client.end();
  }
}
