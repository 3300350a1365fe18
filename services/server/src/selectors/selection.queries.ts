import type { HostScope, LabelRequirement } from '../access/host-scope.ts';
import { scopeCondition } from '../access/host-scope.queries.ts';
import type { Sql } from '../database/database.service.ts';
import type { SqlParams } from '../database/sql-params.ts';
import type { Selector } from './selector.ast.ts';
import { parseSelector } from './selector.parser.ts';
import { labelSetIn, selectorExpression } from './selector.queries.ts';

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
 * @param extra further conditions on `host_standing h`, joined by AND.
 * @param columns of `h`, beside these two: `h.name`, or `h.loaded AS d1`.
 * @throws SelectorError
 */
export async function selectionSql(
  sql: Sql,
  selection: Pick<Selection, 'selector' | 'scope'>,
  params: SqlParams,
  extra: readonly string[] = ['NOT h.retired'],
  columns: readonly string[] = [],
): Promise<string> {
  const { scope } = selection;
  const within = scope === 'all' ? 'true' : labelSetIn(scopeCondition(scope, params, 'l.labels'));
  const conditions = [within, ...extra];
  const list = ['h.id', ...columns].join(', ');
  if (selection.selector === undefined)
    return `SELECT ${list}, true AS matches FROM host_standing h WHERE ${conditions.join(' AND ')}`;
  const expression = await selectorExpression(sql, parseSelector(selection.selector), params);
  return `SELECT * FROM (SELECT ${list}, (${expression}) AS matches FROM host_standing h WHERE ${conditions.join(' AND ')}) m
           WHERE matches IS NOT FALSE`;
}

/**
 * Text that counts the hosts of which a fact in the selector is unknown and which the answer leaves out for it. Apart from the rest, so that a selector of labels
 * alone, of which all is known, costs no second look.
 */
export async function leftOutSql(sql: Sql, selection: Selection, params: SqlParams): Promise<string> {
  const { selector, includeUnknown } = selection;
  if (includeUnknown || selector === undefined || isAlwaysKnown(parseSelector(selector))) return '0::bigint';
  return `(SELECT count(*) FROM (${await selectionSql(sql, selection, params)}) u WHERE u.matches IS NULL)`;
}

function isAlwaysKnown(selector: Selector): selector is readonly LabelRequirement[] {
  return selector.every(({ kind }) => kind === 'label' || kind === 'label_exists');
}

/** What is asked of hosts, where that is labels alone (nothing: all hosts); undefined: the selector asks more. @throws SelectorError */
export function labelsAlone(selection: Pick<Selection, 'selector'>): readonly LabelRequirement[] | undefined {
  if (selection.selector === undefined) return [];
  const selector = parseSelector(selection.selector);
  return isAlwaysKnown(selector) ? selector : undefined;
}

/** Condition on `matches` of {@link selectionSql}: the hosts that the answer shows and counts. */
export function chosen(selection: Pick<Selection, 'includeUnknown'>): string {
  return selection.includeUnknown ? 'true' : 'matches IS TRUE';
}
