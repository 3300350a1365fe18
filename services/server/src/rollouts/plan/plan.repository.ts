import { Inject, Injectable } from '@nestjs/common';
import { isUuid } from '@modfleet/proto';
import type { HostScope } from '../../access/host-scope.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import type { PlanHost, StoredPlan } from './plan.model.ts';
import { selectPlan, selectPlanHosts } from './plan.queries.ts';
import { hostOf, planOf } from './plan.rows.ts';

/** Plans in Postgres, as the domain has them. */
@Injectable()
export class PlanRepository {
  readonly #database: DatabaseService;

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /** Undefined also for what is no id, and for a plan of which a host is out of scope. */
  async find(id: string, scope: HostScope, sql: Sql = this.#database): Promise<StoredPlan | undefined> {
    if (!isUuid(id)) return undefined;
    const row = await selectPlan(sql, id, scope);
    return row === undefined ? undefined : planOf(row);
  }

  async hosts(sql: Sql, hostIds: readonly string[]): Promise<PlanHost[]> {
    return (await selectPlanHosts(sql, hostIds)).map(hostOf);
  }
}
