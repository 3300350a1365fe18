import { setTimeout as delay } from 'node:timers/promises';
import { type BadLine, CUT, FAIR, GOOD, type LineState, type LineWeather } from './bad-line/bad-line.ts';
import type { RolloutCluster } from './rollout-cluster.ts';
import { begun, type FaultFindings } from './rollout-faults.ts';

/** How long the line is how, in the middle of a rollout. */
export interface Spell extends LineWeather {
  readonly seconds: number;
}

export interface Partition {
  readonly spells: readonly Spell[];
  /** Of the rollout, s: after it nothing begins, and actions have expired. */
  readonly deadline?: number;
}

const BAD: LineState = { loss: 30, delayMs: 500 };
const BAD_WEATHER: LineWeather = { toServers: BAD, toHosts: BAD };

/** Signs of life are this far apart, s: agents notice within two and a half times this that nobody hears them. */
const BEAT_S = 5;
export const QUICK_BEATS = { MODFLEET_HEARTBEAT_INTERVAL_MS: String(BEAT_S * 1000) } as const;
/** Longer than agents need to notice, and than TCP's own keepalive (25 s). */
const LONG_S = 30;

/** What the proof does to the line; the others are as they are in fair weather. */
export const PARTITIONS = {
  '30 % lost and 500 ms late, both ways': { spells: [{ ...BAD_WEATHER, seconds: 60 }] },
  'cut to the servers': { spells: [{ toServers: CUT, toHosts: GOOD, seconds: LONG_S }] },
  'cut to the hosts': { spells: [{ toServers: GOOD, toHosts: CUT, seconds: LONG_S }] },
  'cut both ways': { spells: [{ toServers: CUT, toHosts: CUT, seconds: LONG_S }] },
  'bad, cut to the servers, bad, cut to the hosts, bad': {
    spells: [
      { ...BAD_WEATHER, seconds: 5 },
      { toServers: CUT, toHosts: BAD, seconds: LONG_S },
      { ...BAD_WEATHER, seconds: 15 },
      { toServers: BAD, toHosts: CUT, seconds: LONG_S },
      { ...BAD_WEATHER, seconds: 15 },
    ],
  },
  // The actions under way expire with the deadline, and are given up a minute later; then their hosts come back.
  'cut both ways past every expiry': { spells: [{ toServers: CUT, toHosts: CUT, seconds: 95 }], deadline: 20 },
} as const satisfies Record<string, Partition>;

export interface PartitionFindings extends FaultFindings {
  /** Sessions that ended meanwhile, and attempts at one. */
  readonly lostSessions: number;
  readonly packetsLost: { readonly toServers: number; readonly toHosts: number };
  /** From the last spell until the rollout was over and all hosts were back, ms. */
  readonly healedMs: number;
}

/** The line between hosts and servers becomes bad in the middle of a rollout, and good again. */
export async function partition(
  on: RolloutCluster,
  line: BadLine,
  verb: 'load' | 'unload',
  { spells, deadline }: Partition,
): Promise<PartitionFindings> {
  const { end } = await begun(on, verb, deadline === undefined ? {} : { deadline });
  const before = await line.counts();
  try {
    for (const { seconds, ...weather } of spells) {
      await line.becomes(weather);
      await delay(seconds * 1000);
    }
  } finally {
    await line.becomes(FAIR);
  }
  const lostSessions = on.hosts.lost;
  const after = await line.counts();
  const healedAt = performance.now();
  const found = await end();
  const packetsLost = {
    toServers: after.toServers.lost - before.toServers.lost,
    toHosts: after.toHosts.lost - before.toHosts.lost,
  };
  return { ...found, lostSessions, packetsLost, healedMs: Math.round(performance.now() - healedAt) };
}
