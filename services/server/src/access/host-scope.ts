import { assertNever } from '@modfleet/proto';
import { SelectorError, type Requirement } from '../selectors/selector.ast.ts';
import { formatSelector } from '../selectors/selector.format.ts';
import { parseSelector } from '../selectors/selector.parser.ts';

export type LabelRequirement = Extract<Requirement, { kind: 'label' | 'label_exists' }>;
/** All of them must hold. */
export type LabelSelector = readonly LabelRequirement[];
export type Labels = Readonly<Record<string, string>>;

/** Hosts that a caller may do something with: all, or those that one of the selectors takes. An empty list: none. */
export type HostScope = 'all' | readonly LabelSelector[];

/**
 * The selector of a grant. Labels only: labels are given by people, facts are told by the host itself, and a host must not choose who may act on it.
 *
 * @throws SelectorError
 */
export function parseGrantSelector(text: string): LabelSelector {
  return parseSelector(text).map((requirement) => {
    if (requirement.kind === 'label' || requirement.kind === 'label_exists') return requirement;
    throw new SelectorError(
      text.indexOf('@'),
      'a grant is narrowed by labels alone: what begins with "@" is told by the host itself, and a host must not choose who may act on it',
    );
  });
}

/** The same answer as scopeCondition (host-scope.queries.ts) gives in SQL; a test holds both together. */
export function inScope(scope: HostScope, labels: Labels): boolean {
  return scope === 'all' || scope.some((selector) => selector.every((requirement) => holds(requirement, labels)));
}

function holds(requirement: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.kind) {
    case 'label': {
      const has = value !== undefined && requirement.values.includes(value);
      return requirement.operator === 'in' ? has : !has;
    }
    case 'label_exists':
      return (value !== undefined) === requirement.exists;
    default:
      return assertNever(requirement);
  }
}

/**
 * Whether every host of `narrow` is one of `wide` for certain: each requirement of the one is a requirement of the other. Two selectors that say the same
 * in other words are not seen to; that errs on the side of no.
 */
export function isWithin(narrow: LabelSelector | null, wide: LabelSelector | null): boolean {
  if (wide === null) return true;
  if (narrow === null) return false;
  const has = new Set(narrow.map((requirement) => formatSelector([normal(requirement)])));
  return wide.every((requirement) => has.has(formatSelector([normal(requirement)])));
}

function normal(requirement: LabelRequirement): LabelRequirement {
  return requirement.kind === 'label'
    ? { ...requirement, values: [...new Set(requirement.values)].sort() }
    : requirement;
}
