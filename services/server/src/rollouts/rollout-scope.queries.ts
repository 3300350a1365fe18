import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { SqlParams } from '../database/sql-params.ts';

/** Which rows of a table are the hosts of a plan, or of a rollout. */
export interface HostsOf {
  /** With a column `host_id`. */
  readonly table: 'rollout_plan_target' | 'rollout_target';
  /** Column that says whose host it is. */
  readonly key: 'plan_id' | 'rollout_id';
  /** SQL of the id in question, for example `p.id`. */
  readonly id: string;
}

/**
 * Condition: all hosts are in scope. Who may read some of them alone sees nothing of it: neither that it is there nor how large it is.
 */
export function allHostsInScope(scope: HostScope, params: SqlParams, { table, key, id }: HostsOf): string {
  if (scope === 'all') return 'true';
  return `NOT EXISTS (SELECT 1 FROM ${table} v JOIN host vh ON vh.id = v.host_id
                       WHERE v.${key} = ${id} AND NOT ${scopeCondition(scope, params, 'vh.labels')})`;
}
