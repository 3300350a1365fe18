import { KMOD, type RolloutAsked, type RolloutCluster } from './rollout-cluster.ts';

/** Of hosts: on so many of a hundred the routine fails, the exit routine hangs, somebody uses the kmod, somebody was faster. */
const OF_HUNDRED = { fail: 15, hang: 4, use: 6, change: 10 } as const;
/** Of rollouts: in so many of a hundred nobody lets go of the kmod. */
const NEVER_OF_HUNDRED = 10;
/** Then only the deadline ends it, s. */
const SHORT_DEADLINE = 20;
/** Who uses the kmod lets go of it so late, ms. */
const USED_MS = 4_000;

/** Draws what the hosts of a rollout are like, makes them so, and draws what is asked of it. */
export function mix(on: RolloutCluster, verb: 'load' | 'unload', random: () => number): RolloutAsked {
  const { hosts } = on;
  const never = 100 * random() < NEVER_OF_HUNDRED;
  let failing = 0;
  let hanging = 0;
  const { fail, hang, use, change } = OF_HUNDRED;
  for (const name of on.names()) {
    const drawn = 100 * random();
    if (drawn < fail) {
      hosts.fails(name);
      failing += 1;
    } else if (drawn < fail + hang) {
      hosts.hangs(name);
      hanging += 1;
    } else if (drawn < fail + hang + use) hosts.uses(name, KMOD, never ? undefined : USED_MS * random());
    else if (drawn < fail + hang + use + change) hosts.change(name, KMOD, verb === 'load');
  }
  const strict = random() < 0.5;
  const allowed = (count: number): number => (strict ? Math.floor((random() * count) / 2) : count);
  return {
    waves: ['2', '30%', '100%'],
    concurrency: 4 + Math.floor(random() * 8),
    mayFail: allowed(failing),
    mayHang: allowed(hanging),
    onBudget: (['pause', 'abort', 'roll_back'] as const)[Math.floor(random() * 3)] ?? 'pause',
    deadline: never ? SHORT_DEADLINE : 600,
  };
}
