import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../../../agent/src/log.ts';
import { readCaptured } from '../../../bench/swarm/captured-kernel.ts';
import { hostRandom, labelsKey, planHost } from '../../../bench/swarm/host-kinds.ts';
import { makeJoinStrings } from '../../../bench/swarm/join-strings.ts';
import { SwarmHost } from '../../../bench/swarm/swarm-host.ts';
import { connectApi } from '../../../scripts/lib/api.ts';
import type { TestCluster } from './cluster.ts';
import { eventually } from './wait.ts';

const SEED = 7;

/** What reached a host, when. */
export interface Arrival {
  readonly actionId: string;
  /** performance.now() of this process. */
  readonly atMs: number;
}

/** Simulated hosts in this process, so that what reaches them is seen by the clock of who asked. */
export class ClusterHosts {
  readonly hosts: readonly SwarmHost[];
  readonly arrivals = new Map<string, Arrival[]>();

  private constructor(hosts: readonly SwarmHost[], arrivals: Map<string, Arrival[]>) {
    this.hosts = hosts;
    this.arrivals = arrivals;
  }

  /** Joined and connected through the balancer. */
  static async start(cluster: TestCluster, count: number): Promise<ClusterHosts> {
    const [first] = cluster.servers;
    if (first === undefined) throw new Error('no server runs');
    const joinStrings = await makeJoinStrings(connectApi(first.http, cluster.token), count, SEED);
    const captured = readCaptured('debian-6.12');
    const arrivals = new Map<string, Arrival[]>();
    const hosts = Array.from({ length: count }, (_, number) => {
      const random = hostRandom(SEED, number);
      return new SwarmHost({
        plan: planHost(number, random),
        localAddress: `127.88.0.${number + 1}`,
        captured,
        behaviour: { routine: () => 'returns' },
        stepMs: () => 5,
        log: createLog('fatal', () => undefined),
        random,
        onResult: () => undefined,
        onRequest: (actionId) =>
          arrivals.set(actionId, [...(arrivals.get(actionId) ?? []), { actionId, atMs: performance.now() }]),
      });
    });
    for (const host of hosts) {
      await host.join(
        { host: '127.0.0.1', identityPort: cluster.identityPort },
        joinStrings[labelsKey(host.plan.labels)] ?? '',
      );
      await host.appear({ connected: () => undefined, lost: () => undefined });
    }
    await eventually('all hosts are connected', async () => {
      const held = await cluster.held();
      return held.reduce((sum, each) => sum + each, 0) === count || undefined;
    });
    return new ClusterHosts(hosts, arrivals);
  }

  /** Resolves when the action has reached its host, with when that was. */
  async arrived(actionId: string, limitMs: number): Promise<number> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const [first] = this.arrivals.get(actionId) ?? [];
      if (first !== undefined) return first.atMs;
      if (performance.now() > deadline) throw new Error(`action ${actionId} did not arrive within ${limitMs} ms`);
      await delay(1);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.vanish()));
  }
}
