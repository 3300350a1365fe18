import { afterAll, beforeAll } from 'vitest';
import { startTestPostgres, type TestPostgres } from './postgres.ts';

/** For the top of a test file: a database with all migrations, and what `start` makes on it. Both end after the file's last test. */
export function onTestDatabase(start: (databaseUrl: string) => Promise<{ stop(): Promise<void> }>): void {
  let postgres: TestPostgres | undefined;
  let started: { stop(): Promise<void> } | undefined;
  beforeAll(async () => {
    postgres = await startTestPostgres();
    started = await start((await postgres.createDatabase()).url);
  });
  afterAll(async () => {
    await started?.stop();
    await postgres?.close();
  });
}
