import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RolloutCluster } from '../support/rollout-cluster.ts';
import { answersLost, databaseAway, pausedAndFrozen, stoppedWatcher } from '../support/rollout-faults.ts';
import { killRound, SHORT_RESTS } from '../support/rollout-kills.ts';

/** The full count: `npm run proof -- rollouts`. */
const HOSTS = 40;
const SEEDS = 5;

describe('a rollout over two servers', () => {
  let on: RolloutCluster;
  beforeAll(async () => {
    on = await RolloutCluster.start(HOSTS, SHORT_RESTS);
  });
  afterAll(() => on.stop());

  const first = randomInt(1_000_000);
  it.each(Array.from({ length: SEEDS }, (_, number) => first + number))(
    'seed %i: servers get SIGKILL in the middle, nothing is lost, nothing done twice',
    async (seed) => {
      expect((await killRound(on, seed)).problems).toEqual([]);
    },
  );

  it('a watcher that was stopped past its lease changes nothing when it goes on', async () => {
    const found = await stoppedWatcher(on);
    expect([found.problems, found.state]).toEqual([[], expect.stringMatching(/succeeded|failed/)]);
    expect(found.madeMeanwhile).toBeGreaterThan(0);
  });

  it('goes on after PostgreSQL was away', async () => {
    expect((await databaseAway(on, 5_000)).problems).toEqual([]);
  });

  it('sends nothing a second after the answer to a pause, or to a freeze', async () => {
    expect((await pausedAndFrozen(on)).problems).toEqual([]);
  });

  it('hosts that heard nothing for a while did nothing twice', async () => {
    expect((await answersLost(on, 3_000)).problems).toEqual([]);
  });
});
