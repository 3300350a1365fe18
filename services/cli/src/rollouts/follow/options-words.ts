import type { RolloutItem } from '@modfleet/server/api-types';
import { count } from '../../output/words.ts';
import { FAILURE_KINDS } from '../options/budget.ts';
import { typedTime } from '../options/typed-settings.ts';
import { typedOrder } from '../options/order.ts';

type Options = RolloutItem['options'];

/** The options that hold, as they can be typed, with what stands in place of those left out. */
export function optionLines(options: Options): [string, string][] {
  return [
    ['waves', `${options.waves.join(', ')}${options.canary ? ', after a canary' : ''}`],
    ['at a time', options.concurrency === null ? 'unlimited' : count(options.concurrency, 'host')],
    ['bake', options.bake === 0 ? 'none' : typedTime(options.bake)],
    ['budget', `${budgetText(options.budget)}; when exceeded: ${options.onBudget.replace('_', ' ')}`],
    ['offline', options.offline === 'wait' ? 'waited for until the deadline' : 'skipped'],
    ['order', typedOrder(options.order)],
  ];
}

/** "failed 2%, wave.failed 1, others 0": as typed; kinds without a limit of their own are told together. */
export function budgetText({ whole, wave }: Options['budget']): string {
  const given = [
    ...FAILURE_KINDS.flatMap((kind) => (whole[kind] === undefined ? [] : [`${kind} ${whole[kind]}`])),
    ...FAILURE_KINDS.flatMap((kind) => (wave[kind] === undefined ? [] : [`wave.${kind} ${wave[kind]}`])),
  ];
  const free = (['refused', 'unreachable'] as const).filter((kind) => whole[kind] === undefined);
  const zero = FAILURE_KINDS.some((kind) => whole[kind] === undefined && kind !== 'refused' && kind !== 'unreachable');
  return [
    ...given,
    ...(zero ? [given.length === 0 ? 'none may fail' : 'others 0'] : []),
    ...(free.length > 0 ? [`${free.join(' and ')} without limit`] : []),
  ].join(', ');
}
