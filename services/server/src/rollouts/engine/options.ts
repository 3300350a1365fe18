import { randomInt } from 'node:crypto';
import type { z } from 'zod';
import { type createRolloutBody, effectiveOptionsSchema } from '../rollouts.schema.ts';
import { hostsOf } from './amounts.ts';
import type { RolloutOptions } from './rollout.model.ts';

const BAKE_S = 60;
const DEADLINE_S = 3_600;
/** Unless told otherwise a rollout has the smaller of these under way: fifty hosts, or a twentieth of all. */
const CONCURRENCY = 50;
const CONCURRENCY_SHARE = '5%';
const SEED_MAX = 2 ** 31 - 1;

/** As a caller gives them. */
export type GivenOptions = Omit<z.output<typeof createRolloutBody>, 'plan' | 'reason'>;

/** What holds, with what stands in place of what was left out. `total`: hosts of the rollout. */
export function effectiveOptions(given: GivenOptions, total: number): RolloutOptions {
  const order = given.order ?? { by: 'random' as const };
  return {
    waves: given.waves ?? ['100%'],
    canary: given.canary ?? false,
    concurrency: concurrencyOf(given.concurrency, total),
    bake: given.bake ?? BAKE_S,
    budget: { whole: given.budget?.whole ?? {}, wave: given.budget?.wave ?? {} },
    onBudget: given.onBudget ?? 'pause',
    deadline: given.deadline ?? DEADLINE_S,
    offline: given.offline ?? 'wait',
    order: order.by === 'label' ? order : { by: 'random', seed: order.seed ?? randomInt(SEED_MAX) },
    requireApproval: given.requireApproval ?? false,
  };
}

/** As they are stored. */
export function rolloutOptionsOf(stored: unknown): RolloutOptions {
  return effectiveOptionsSchema.parse(stored);
}

function concurrencyOf(given: GivenOptions['concurrency'], total: number): number | null {
  if (given === 'unlimited') return null;
  const hosts = given === undefined ? Math.min(CONCURRENCY, hostsOf(CONCURRENCY_SHARE, total)) : hostsOf(given, total);
  return Math.max(1, hosts);
}
