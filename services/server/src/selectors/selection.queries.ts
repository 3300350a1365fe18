import type { HostScope } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import type { SqlParams } from '../database/sql-params.ts';
import { parseSelector } from './selector.parser.ts';
import { SELECTOR_JOINS, selectorExpression } from './selector.queries.ts';

/** Which hosts an answer is about. */
export interface Selection {
  /** Hosts that the caller may read: no others are shown, counted or named. */
  readonly scope: HostScope;
  /** Absent: all hosts. */
  readonly selector?: string | undefined;
  /** Also hosts of which a fact in the selector is unknown. */
  readonly includeUnknown: boolean;
}

/**
 * Text of a sub-select `(id, matches)` over the hosts in scope that are not retired and whose match is not false. `matches` is true, or NULL where it is unknown.
 *
 * @param extra further conditions on `h`, joined by AND.
 * @throws SelectorError
 */
export async function selectionSql(
  sql: Sql,
  selection: Pick<Selection, 'selector' | 'scope'>,
  params: SqlParams,
  extra: readonly string[] = ['h.retired_at IS NULL'],
): Promise<string> {
  const conditions = [scopeCondition(selection.scope, params), ...extra];
  if (selection.selector === undefined)
    return `SELECT h.id, true AS matches FROM host h WHERE ${conditions.join(' AND ')}`;
  const expression = await selectorExpression(sql, parseSelector(selection.selector), params);
  return `SELECT id, matches FROM (SELECT h.id, (${expression}) AS matches FROM host h ${SELECTOR_JOINS} WHERE ${conditions.join(' AND ')}) m
           WHERE matches IS NOT FALSE`;
}

/** Condition on `matches` of {@link selectionSql}: the hosts that the answer shows and counts. */
export function chosen(selection: Pick<Selection, 'includeUnknown'>): string {
  return selection.includeUnknown ? 'true' : 'matches IS TRUE';
}
