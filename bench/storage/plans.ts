import type { DatabaseService, Sql } from '../../services/server/src/database/database.service.ts';

interface Statement {
  readonly text: string;
  readonly params: readonly unknown[];
}

/** Conditions may name hundreds of hosts. */
const LINE_MAX = 180;
/** Lines of a plan that tell nothing of its shape or time: they would be half of it. */
const LEFT_OUT =
  /Index Searches:|Recheck Cond:|Heap Blocks:|Heap Fetches:|Buckets:|Storage:|Sort Method:|never executed|Memory Usage|Batches:|^\s+Planning:\s*$/;

/** The statements that a piece of the server runs, and what Postgres does for them. */
export class PlanRecorder {
  readonly #database: DatabaseService;

  constructor(database: DatabaseService) {
    this.#database = database;
  }

  /** Plans with times of every statement that `ask` runs, in order. */
  async plansOf(ask: () => Promise<unknown>): Promise<string> {
    const statements = await this.#statementsOf(ask);
    const plans: string[] = [];
    for (const { text, params } of statements) {
      const rows = await this.#database.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF) ${text}`,
        params,
      );
      plans.push(
        `${text.replaceAll(/\s+/g, ' ').slice(0, 160)} …\n${rows
          .map((row) => `  ${row['QUERY PLAN']}`.slice(0, LINE_MAX))
          .filter((line) => !LEFT_OUT.test(line))
          .join('\n')}`,
      );
    }
    return plans.join('\n\n');
  }

  async #statementsOf(ask: () => Promise<unknown>): Promise<Statement[]> {
    const seen: Statement[] = [];
    const database = this.#database;
    const { tx, query } = database;
    const recording = (sql: Sql): Sql => ({
      query: (text, params = []) => {
        seen.push({ text, params });
        return sql.query(text, params);
      },
    });
    // Own properties hide the methods.
    Object.defineProperty(database, 'tx', {
      configurable: true,
      value: (isolation: Parameters<typeof tx>[0], work: (sql: Sql) => Promise<unknown>) =>
        tx.call(database, isolation, (sql: Sql) => work(recording(sql))),
    });
    Object.defineProperty(database, 'query', {
      configurable: true,
      value: (text: string, params: readonly unknown[] = []) => {
        seen.push({ text, params });
        return query.call(database, text, params);
      },
    });
    try {
      await ask();
    } finally {
      Reflect.deleteProperty(database, 'tx');
      Reflect.deleteProperty(database, 'query');
    }
    // Beats and sweeps of the server run beside.
    return seen.filter(({ text }) => /^\s*(SELECT|WITH)/.test(text) && text.length > 200);
  }
}
