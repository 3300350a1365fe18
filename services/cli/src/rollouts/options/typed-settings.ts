import { FAILURE_KINDS } from './budget.ts';
import { typedOrder, type Order } from './order.ts';
import type { RolloutSettings } from './settings.ts';

/** A time as it can be typed: "90s", "5m", "2h". */
export function typedTime(seconds: number): string {
  if (seconds === 0) return '0s';
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const)
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  return `${seconds}s`;
}

/** Settings as they are typed on a command line, one word each. */
export function typedSettings(settings: RolloutSettings): string[] {
  const { waves, canary, concurrency, bake, budget, onBudget, deadline, offline, order, requireApproval, reason } =
    settings;
  const limits = FAILURE_KINDS.flatMap((kind) => [
    ...(budget?.whole?.[kind] === undefined ? [] : [`${kind}=${budget.whole[kind]}`]),
    ...(budget?.wave?.[kind] === undefined ? [] : [`wave.${kind}=${budget.wave[kind]}`]),
  ]);
  const given: [option: string, value: string | undefined][] = [
    ['--waves', waves?.join(',')],
    ['--concurrency', concurrency === undefined ? undefined : String(concurrency)],
    ['--bake', bake === undefined ? undefined : typedTime(bake)],
    ['--budget', limits.length === 0 ? undefined : limits.join(',')],
    ['--on-budget', onBudget?.replace('_', '-')],
    ['--deadline', deadline === undefined ? undefined : typedTime(deadline)],
    ['--offline', offline],
    ['--order', order === undefined ? undefined : typedOrder(order as Order)],
    ['--reason', reason],
  ];
  return [
    ...given.flatMap(([option, value]) => (value === undefined ? [] : [option, value])),
    ...(canary ? ['--canary'] : []),
    ...(requireApproval ? ['--require-approval'] : []),
  ];
}
