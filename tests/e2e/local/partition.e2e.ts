import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadLine, CUT, GOOD } from '../support/bad-line/bad-line.ts';
import { RolloutCluster } from '../support/rollout-cluster.ts';
import { partition } from '../support/rollout-partition.ts';

/** All cases, with more hosts and for longer: `npm run proof -- rollouts --only partition`. */
const HOSTS = 12;
const SECONDS = 8;
/** Agents notice within three of these that nobody answers. */
const BEAT_MS = 1_000;

describe('hosts and servers in network namespaces, and a line between them', () => {
  let line: BadLine;
  let on: RolloutCluster;
  beforeAll(async () => {
    line = await BadLine.open(randomInt(1_000_000));
    on = await RolloutCluster.across(line, HOSTS, { MODFLEET_HEARTBEAT_INTERVAL_MS: String(BEAT_MS) });
  });
  afterAll(async () => {
    await on?.stop();
    await line?.close();
  });

  it('a rollout goes on when hosts hear the servers again, and does nothing twice', async () => {
    const found = await partition(on, line, 'unload', {
      spells: [{ toServers: GOOD, toHosts: CUT, seconds: SECONDS }],
    });
    expect([found.problems, found.state]).toEqual([[], 'succeeded']);
    expect(found.lostSessions).toBeGreaterThanOrEqual(HOSTS);
    expect(found.packetsLost.toHosts).toBeGreaterThan(HOSTS);
  });
});
