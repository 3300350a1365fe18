import type { Figure } from '../figures.ts';

export type Verdict = 'holds' | 'short' | 'unasked';

export const VERDICT_WORDS = {
  holds: '✓ holds',
  short: '✗ falls short',
  unasked: '– nothing asked',
} as const satisfies Record<Verdict, string>;

export function verdictOf({ holds }: Figure): Verdict {
  return holds === null ? 'unasked' : holds ? 'holds' : 'short';
}

/** Units of which more is better: rates, and shares that should be whole. */
const MORE_IS_BETTER = /\/s$|a second$|that agree$/;

/** Whether the reach is the least that it has to be. Files do not say; most reaches are the most that it may be. */
export function isLeast({ value, reach, holds, unit }: Figure): boolean {
  if (reach === null || holds === null) return false;
  return holds
    ? value > reach || (value === reach && MORE_IS_BETTER.test(unit))
    : value < reach && MORE_IS_BETTER.test(unit);
}

/** Width of a bar whose whole is twice the reach, 0 to 1, and whether it would go on. Undefined where there is nothing to draw it against. */
export function barOf({ value, reach }: Figure): { readonly share: number; readonly goesOn: boolean } | undefined {
  if (reach === null || reach <= 0 || value < 0) return undefined;
  const share = value / (2 * reach);
  return { share: Math.min(1, share), goesOn: share > 1 };
}
