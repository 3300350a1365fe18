import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { PrismaClient } from '../generated/prisma/client.ts';
import { explained, isStaleStatement, isUnavailable } from './database.errors.ts';
import { StatementNames } from './statement-names.ts';

/** Runs SQL: the pool, or one transaction. Query files take this, so that each statement works in both. */
export interface Sql {
  /**
   * @throws DatabaseUnavailableError when Postgres is away.
   */
  query<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]>;
}

/** How a transaction ended; `unknown` when the connection broke: it may have committed, or hold its locks a while longer. */
export type TxEnd = 'committed' | 'rolled_back' | 'unknown';

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

/** Of the transactions that are open, over whichever pool: who wants to hear of their end. */
const open = new WeakMap<Sql, ((end: TxEnd) => void)[]>();

type DatabaseConfig = Pick<ServerConfig, 'databaseUrl' | 'dbPoolSize'> &
  Partial<Pick<ServerConfig, 'dbConnectTimeoutMs' | 'dbPreparedStatements'>>;

/** The one way to Postgres: Prisma for plain reads and writes, SQL for the rest, both over the same pool. */
@Injectable()
export class DatabaseService implements Sql, OnApplicationShutdown {
  readonly pool: pg.Pool;
  readonly #names: StatementNames | undefined;
  #prisma: PrismaClient | undefined;

  constructor(@Inject(SERVER_CONFIG) config: DatabaseConfig) {
    this.#names = config.dbPreparedStatements === false ? undefined : new StatementNames();
    this.pool = new pg.Pool({
      connectionString: config.databaseUrl,
      max: config.dbPoolSize,
      connectionTimeoutMillis: config.dbConnectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
      application_name: 'modfleet-server',
    });
    // An idle connection that breaks is replaced by the pool; without a listener the process would end.
    this.pool.on('error', () => undefined);
  }

  get prisma(): PrismaClient {
    this.#prisma ??= new PrismaClient({ adapter: new PrismaPg(this.pool, { disposeExternalPool: false }) });
    return this.#prisma;
  }

  async query<Row extends object>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(this.#statement(text, params))).rows;
    } catch (error) {
      throw explained(error);
    }
  }

  /**
   * Calls `listener` once when the transaction has ended, before its result is handed on.
   *
   * @throws Error when `sql` is no open transaction of this database.
   */
  onEnd(sql: Sql, listener: (end: TxEnd) => void): void {
    const listeners = open.get(sql);
    if (listeners === undefined) throw new Error('this needs a transaction that is open');
    listeners.push(listener);
  }

  /**
   * Runs `work` in one transaction; rolls back when it throws.
   *
   * @throws DatabaseUnavailableError when Postgres is away; Error when a statement had failed, whether or not `work` let that be seen.
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
    const sql: Sql = {
      query: async <Row extends object>(text: string, params: readonly unknown[] = []) =>
        (await client.query<Row>(this.#statement(text, params))).rows,
    };
    const listeners: ((end: TxEnd) => void)[] = [];
    open.set(sql, listeners);
    let end: TxEnd = 'rolled_back';
    try {
      await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
      const result = await work(sql);
      end = 'unknown';
      // Postgres answers ROLLBACK to the COMMIT of a transaction in which a statement failed, and calls that no error.
      const { command } = await client.query('COMMIT');
      end = command === 'COMMIT' ? 'committed' : 'rolled_back';
      if (end === 'rolled_back')
        throw new Error(
          'a statement of this transaction had failed and the failure was not passed on: it was rolled back',
        );
      return result;
    } catch (error) {
      // Its end may come later: the backend may not know yet that we are gone.
      if (isUnavailable(error)) [broken, end] = [broken ?? (error as Error), 'unknown'];
      else if (isStaleStatement(error)) broken = error as Error;
      else if (await rollsBack(client, (failure) => (broken = failure))) end = 'rolled_back';
      throw explained(error);
    } finally {
      open.delete(sql);
      client.off('error', onError);
      client.release(broken);
      for (const listener of listeners) listener(end);
    }
  }

  #statement(text: string, params: readonly unknown[]): pg.QueryConfig {
    const name = this.#names?.nameOf(text);
    return { text, values: [...params], types, ...(name === undefined ? {} : { name }) };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#prisma?.$disconnect();
    await this.pool.end();
  }
}

/** True when Postgres said that the transaction is rolled back; a COMMIT that failed with an answer is none either. */
async function rollsBack(client: pg.PoolClient, onFailure: (failure: Error) => void): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch (failure) {
    onFailure(failure as Error);
    return false;
  }
}
