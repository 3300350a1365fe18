import { assertNever } from '@modfleet/proto';
import type { Requirement, Selector } from './selector.ast.ts';

/** The one spelling of a selector: parsing it gives the same selector again. */
export function formatSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(',');
}

function formatRequirement(requirement: Requirement): string {
  switch (requirement.kind) {
    case 'label':
      return `${requirement.key} ${requirement.operator} (${requirement.values.join(',')})`;
    case 'label_exists':
      return requirement.exists ? requirement.key : `!${requirement.key}`;
    case 'fact_set':
      return `@${requirement.fact} ${requirement.operator} (${requirement.values.join(',')})`;
    case 'fact_glob':
      return `@${requirement.fact}${requirement.operator}${requirement.glob}`;
    case 'fact_order':
      return `@${requirement.fact}${requirement.operator}${requirement.version}`;
    default:
      return assertNever(requirement);
  }
}
