import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../../../agent/src/log.ts';
import { readCaptured } from '../../../bench/swarm/captured-kernel.ts';
import { hostRandom, labelsKey, planHost } from '../../../bench/swarm/host-kinds.ts';
import { makeJoinStrings } from '../../../bench/swarm/join-strings.ts';
import { SwarmHost } from '../../../bench/swarm/swarm-host.ts';
import { connectApi } from '../../../scripts/lib/api.ts';
import type { ClusterServer, TestCluster } from './cluster.ts';
import { eventually } from './wait.ts';

const SEED = 7;

/** What reached a host, when. */
export interface Arrival {
  readonly actionId: string;
  /** performance.now() of this process. */
  readonly atMs: number;
}

/** An action that reached its host. */
export interface Acted {
  readonly id: string;
  /** From the request's first byte until it reached the host's engine, ms. */
  readonly tookMs: number;
}

/** Simulated hosts in this process, so that what reaches them is seen by the clock of who asked. */
export class ClusterHosts {
  readonly hosts: readonly SwarmHost[];
  readonly arrivals = new Map<string, Arrival[]>();

  readonly #cluster: TestCluster;
  /** Hosts on which tun was loaded. */
  readonly #loaded = new Set<string>();

  private constructor(cluster: TestCluster, hosts: readonly SwarmHost[], arrivals: Map<string, Arrival[]>) {
    this.#cluster = cluster;
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
        log: createLog('error', () => undefined),
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
    return new ClusterHosts(cluster, hosts, arrivals);
  }

  /** Asks a server that does not hold the host for a load or unload there. @param limitMs for it to arrive. */
  async act(name: string, limitMs: number): Promise<Acted> {
    const asked = await this.#notHolding(name);
    const body = { host: name, verb: this.#loaded.has(name) ? 'unload' : 'load', kmod: 'tun' };
    const begun = performance.now();
    const reply = await this.#cluster.api(asked, 'POST', '/api/v1/actions', body);
    if (reply.status !== 202) throw new Error(`not accepted: ${reply.status} ${JSON.stringify(reply.body)}`);
    if (!this.#loaded.delete(name)) this.#loaded.add(name);
    const id = String(reply.body['id']);
    return { id, tookMs: (await this.arrived(id, limitMs)) - begun };
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

  async #notHolding(name: string): Promise<ClusterServer> {
    const [row] = await this.#cluster.rows<{ replica: string }>(
      'SELECT p.replica_id AS replica FROM session_presence p JOIN host h ON h.id = p.host_id WHERE h.name = $1 AND live',
      [name],
    );
    if (row === undefined) throw new Error(`nobody holds ${name}`);
    const other = this.#cluster.servers.find(({ replica }) => replica !== row.replica);
    if (other === undefined) throw new Error('there is one server only');
    return other;
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.vanish()));
  }
}
