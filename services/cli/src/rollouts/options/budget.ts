import type { RolloutFailureKind } from '@modfleet/server/api-types';
import { closest } from '../../command-line/closest.ts';
import { usageError } from '../../errors/cli-error.ts';
import { amount } from './amount.ts';

/** Kinds of failure, in the order in which they are shown. */
export const FAILURE_KINDS = [
  'refused',
  'failed',
  'stuck',
  'reverted',
  'unreachable',
  'unconfirmed',
  'drifted',
  'unhealthy',
] as const satisfies readonly RolloutFailureKind[];

export type BudgetLimits = Partial<Record<RolloutFailureKind, string>>;

/** How many hosts may fail, by kind, of the whole rollout and of each wave. */
export interface Budget {
  readonly whole?: BudgetLimits;
  readonly wave?: BudgetLimits;
}

/** "failed=2%,wave.failed=1": limits of the whole rollout, and with "wave." of each wave. Given several times: all together. */
export function budget(option: string, text: string, previous: Budget = {}): Budget {
  return text.split(',').reduce<Budget>((sum, part) => addLimit(option, part.trim(), sum), previous);
}

function addLimit(option: string, part: string, sum: Budget): Budget {
  const at = part.indexOf('=');
  if (at < 1)
    throw usageError(
      `${option} takes kinds of failure with limits, for example failed=2%,unreachable=5%,wave.failed=1; not ${JSON.stringify(part.slice(0, 32))}`,
      KINDS_HINT,
    );
  const name = part.slice(0, at).trim();
  const scope = name.startsWith('wave.') ? 'wave' : 'whole';
  const kind = failureKind(
    option,
    scope === 'wave' ? name.slice('wave.'.length) : name,
    scope === 'wave' ? 'wave.' : '',
  );
  if (sum[scope]?.[kind] !== undefined) throw usageError(`${option}: ${name} is given twice`);
  return { ...sum, [scope]: { ...sum[scope], [kind]: amount(`${option}: ${name}`, part.slice(at + 1)) } };
}

const KINDS_HINT = `kinds: ${FAILURE_KINDS.join(', ')}; with "wave." before it: of each wave`;

/** A kind of failure. */
export function failureKind(option: string, text: string, prefix = ''): RolloutFailureKind {
  const kind = FAILURE_KINDS.find((each) => each === text);
  if (kind !== undefined) return kind;
  const meant = closest(text, FAILURE_KINDS);
  throw usageError(
    `${option}: there is no kind of failure ${JSON.stringify(text.slice(0, 32))}`,
    ...(meant === undefined ? [] : [`did you mean ${prefix}${meant}?`]),
    KINDS_HINT,
  );
}
