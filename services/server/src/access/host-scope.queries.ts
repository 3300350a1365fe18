import type { SqlParams } from '../database/sql-params.ts';
import { labelExpression } from '../selectors/selector.queries.ts';
import type { HostScope } from './host-scope.ts';

/** Condition over `labels` (SQL): a host with them is in scope. Never NULL. */
export function scopeCondition(scope: HostScope, params: SqlParams, labels = 'h.labels'): string {
  if (scope === 'all') return 'true';
  if (scope.length === 0) return 'false';
  const selectors = scope.map((selector) =>
    selector.map((requirement) => `(${labelExpression(requirement, params, labels)})`).join(' AND '),
  );
  return `(${selectors.map((selector) => `(${selector})`).join(' OR ')})`;
}

/** Facets of which hosts share sets: columns of host_inventory. */
export type ScopedPart = 'loaded' | 'available' | 'devices' | 'config';

/**
 * Condition that a set (by its number) is what a host in scope last reported; `true` for the whole fleet, where sets that no host has any more count too,
 * as they always did. Rejected for the whole fleet: one look into host_inventory a set costs more than the answer.
 */
export function setInScope(scope: HostScope, part: ScopedPart, id: string, params: SqlParams): string {
  if (scope === 'all') return 'true';
  return `${id} IN (SELECT i.${part} FROM host_inventory i JOIN label_set l ON l.id = i.label_set WHERE NOT i.retired AND ${scopeCondition(scope, params, 'l.labels')})`;
}
