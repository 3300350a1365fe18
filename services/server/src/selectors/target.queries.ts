import type { HostScope } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import { SqlParams } from '../database/sql-params.ts';
import { selectionSql } from './selection.queries.ts';

export interface SelectedHost {
  readonly id: string;
  readonly name: string;
  /** Null: a fact in the selector is unknown. */
  readonly matches: true | null;
}

/**
 * Hosts in scope that are not retired and whose match is not false, by name and id.
 *
 * @param selector undefined: all hosts.
 * @throws SelectorError
 */
export async function selectedHosts(sql: Sql, selector: string | undefined, scope: HostScope): Promise<SelectedHost[]> {
  const params = new SqlParams();
  const selected = await selectionSql(sql, { selector, scope }, params);
  return sql.query<SelectedHost>(
    `SELECT h.id, h.name, s.matches FROM (${selected}) s JOIN host h ON h.id = s.id ORDER BY h.name, h.id`,
    params.values,
  );
}
