import { parseGrantSelector } from '../../access/host-scope.ts';
import { isRole, type Role, ROLES } from '../../access/roles.ts';
import { SelectorError } from '../../selectors/selector.ast.ts';
import { formatSelector } from '../../selectors/selector.format.ts';

/** What the people of a group at the identity provider may do here. */
export interface GroupGrant {
  readonly role: Role;
  /** As formatSelector writes it; null: the whole fleet. */
  readonly selector: string | null;
  readonly group: string;
}

/**
 * `admin from platform; operator over env=staging from sre`: rules with semicolons between them. A group is everything behind the last " from ", so that
 * it may hold blanks, commas and equals signs, as distinguished names do.
 *
 * @throws Error with a sentence that names the rule.
 */
export function parseGroupGrants(text: string): GroupGrant[] {
  return text
    .split(';')
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '')
    .map(parseRule);
}

function parseRule(rule: string): GroupGrant {
  const match = /^(\S+)(?:\s+over\s+(.+?))?\s+from\s+(\S.*)$/.exec(rule);
  const [, role = '', selector, group = ''] = match ?? [];
  if (match === null)
    throw new Error(`${JSON.stringify(rule)} is not "ROLE from GROUP" or "ROLE over SELECTOR from GROUP"`);
  if (!isRole(role))
    throw new Error(`${JSON.stringify(rule)}: ${JSON.stringify(role)} is no role; there are ${ROLES.join(', ')}`);
  if (selector === undefined) return { role, selector: null, group };
  try {
    return { role, selector: formatSelector(parseGrantSelector(selector)), group };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new Error(`${JSON.stringify(rule)}: ${error.message}`, { cause: error });
  }
}

/** What somebody in these groups gets: each right once. */
export function grantsOf(
  rules: readonly GroupGrant[],
  groups: readonly string[],
): Pick<GroupGrant, 'role' | 'selector'>[] {
  const member = new Set(groups);
  const wanted = rules.filter(({ group }) => member.has(group));
  return [...new Map(wanted.map(({ role, selector }) => [`${role} ${selector ?? ''}`, { role, selector }])).values()];
}
