import { inject } from 'vitest';
import { chooseServer, databasesOn, type TestPostgres, type TestPostgresKind } from './postgres-server.ts';

export type { TestDatabase, TestPostgres } from './postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run (shared-postgres.ts); undefined: each file has its own. */
    testServer?: { readonly kind: TestPostgresKind; readonly adminUrl: string; readonly template: string };
  }
}

/** For a test file. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const shared = inject('testServer');
  return databasesOn(
    shared === undefined ? await chooseServer() : { ...shared, isShared: true, stop: () => Promise.resolve() },
  );
}
