import { Inject, Injectable } from '@nestjs/common';
import { isUuid } from '@modfleet/proto';
import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import { selectNow } from '../actions/action.queries.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { AppError } from '../errors/app-error.ts';
import { selectWaves } from './engine/model.queries.ts';
import type { RolloutState } from './engine/rollout.model.ts';
import {
  countTargets,
  selectFailures,
  selectNotes,
  selectShown,
  selectShownTargets,
  selectSummaries,
  type ShownTargetRow,
  type SummaryRow,
  type TargetFilter,
} from './rollout-view.queries.ts';
import { type RolloutItem, toRolloutItem } from './rollout.view.ts';

const FAILURES_MAX = 50;

/** Reads rollouts, each answer at one moment. One of which a host is out of the caller's scope is not found. */
@Injectable()
export class RolloutReader {
  readonly #database: DatabaseService;

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /** @throws AppError rollout_not_found. */
  get(id: string, scope: HostScope): Promise<RolloutItem> {
    return this.#database.tx('REPEATABLE READ READ ONLY', (sql) => this.read(sql, id, scope));
  }

  /** @throws AppError rollout_not_found. */
  async read(sql: Sql, id: string, scope: HostScope): Promise<RolloutItem> {
    const row = await selectShown(sql, this.idOf(id), scope);
    if (row === undefined) throw this.notFound(id);
    return toRolloutItem({
      row,
      waves: await selectWaves(sql, id),
      counts: await countTargets(sql, id),
      failures: await selectFailures(sql, id, FAILURES_MAX),
    });
  }

  /** Newest first; one more than `limit` where there are more. */
  list(
    state: RolloutState | undefined,
    after: { readonly createdAt: string; readonly id: string } | undefined,
    scope: HostScope,
    limit: number,
  ): Promise<{ rows: SummaryRow[]; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => ({
      rows: await selectSummaries(sql, state, after, scope, limit + 1),
      asOf: await selectNow(sql),
    }));
  }

  /** In the order of the rollout; one more than `limit` where there are more. @throws AppError rollout_not_found. */
  targets(
    id: string,
    filter: TargetFilter,
    after: number | undefined,
    scope: HostScope,
    limit: number,
  ): Promise<{ rows: ShownTargetRow[]; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      if ((await selectShown(sql, this.idOf(id), scope)) === undefined) throw this.notFound(id);
      return { rows: await selectShownTargets(sql, id, filter, after, limit + 1), asOf: await selectNow(sql) };
    });
  }

  /** @throws AppError rollout_not_found. */
  notes(id: string, scope: HostScope): Promise<{ rows: { at: Date; text: string }[]; asOf: Date }> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      if ((await selectShown(sql, this.idOf(id), scope)) === undefined) throw this.notFound(id);
      return { rows: await selectNotes(sql, id), asOf: await selectNow(sql) };
    });
  }

  /** The name of a host of the rollout that is out of scope; undefined: there is none. */
  async hostOutOfScope(sql: Sql, id: string, scope: HostScope): Promise<string | undefined> {
    const params = new SqlParams();
    const rows = await sql.query<{ name: string }>(
      `SELECT h.name FROM rollout_target t JOIN host h ON h.id = t.host_id
        WHERE t.rollout_id = ${params.add(id)}::uuid AND NOT ${scopeCondition(scope, params)} ORDER BY h.name LIMIT 1`,
      params.values,
    );
    return rows[0]?.name;
  }

  /** @throws AppError rollout_not_found for what is no id. */
  idOf(id: string): string {
    if (!isUuid(id)) throw this.notFound(id);
    return id;
  }

  notFound(id: string): AppError {
    return new AppError(
      'rollout_not_found',
      `there is no rollout ${JSON.stringify(id.slice(0, 64))}; GET /api/v1/rollouts lists them`,
    );
  }
}
