import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { PrismaClient } from '../generated/prisma/client.ts';
import { explained, isUnavailable } from './database.errors.ts';

/** Runs SQL: the pool, or one transaction. Query files take this, so that each statement works in both. */
export interface Sql {
  /**
   * @throws DatabaseUnavailableError when Postgres is away.
   */
  query<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

export type Isolation = 'READ COMMITTED' | 'REPEATABLE READ' | 'REPEATABLE READ READ ONLY' | 'SERIALIZABLE';

/** A caller waits this long for a connection before it hears 503; the adapter's own default is for ever. */
const CONNECT_TIMEOUT_MS = 2_000;
/** No statement of this server is meant to take a tenth of this. */
const STATEMENT_TIMEOUT_MS = 15_000;
/** Ends a transaction whose process stopped in the middle, before it holds up vacuum and other writers. */
const IDLE_IN_TRANSACTION_MS = 30_000;
/** A dead network path is noticed within half a minute. */
const KEEPALIVE_DELAY_MS = 10_000;

// bigint (counts, session numbers) as a JavaScript number: all of ours stay far below 2^53.
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? Number
      : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/** The one way to Postgres: Prisma for plain reads and writes, SQL for the rest, both over the same pool. */
@Injectable()
export class DatabaseService implements Sql, OnApplicationShutdown {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;

  constructor(@Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'databaseUrl' | 'dbPoolSize'>) {
    this.pool = new pg.Pool({
      connectionString: config.databaseUrl,
      max: config.dbPoolSize,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      application_name: 'modfleet-server',
    });
    // An idle connection that breaks is replaced by the pool; without a listener the process would end.
    this.pool.on('error', () => undefined);
    this.prisma = new PrismaClient({ adapter: new PrismaPg(this.pool, { disposeExternalPool: false }) });
  }

  async query<Row extends object>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>({ text, values: [...params], types })).rows;
    } catch (error) {
      throw explained(error);
    }
  }

  /**
   * Runs `work` in one transaction; rolls back when it throws.
   *
   * @throws DatabaseUnavailableError when Postgres is away.
   */
  async tx<T>(isolation: Isolation, work: (sql: Sql) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.pool.connect();
    } catch (error) {
      throw explained(error);
    }
    let broken: Error | undefined;
    const onError = (error: Error): void => void (broken = error);
    client.on('error', onError);
    try {
      await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
      const result = await work({
        query: async <Row extends object>(text: string, params: readonly unknown[] = []) =>
          (await client.query<Row>({ text, values: [...params], types })).rows,
      });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      if (isUnavailable(error)) broken ??= error as Error;
      else await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
      throw explained(error);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.prisma.$disconnect();
    await this.pool.end();
  }
}
