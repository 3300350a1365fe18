import { setTimeout as delay } from 'node:timers/promises';
import { connectApi } from '../../scripts/lib/api.ts';
import { makeJoinStrings } from '../swarm/join-strings.ts';
import { Swarm } from '../swarm/swarm.ts';
import type { Odds, WorkerCounts } from '../swarm/worker-words.ts';
import { MeasuredServer } from './measured-server.ts';

const QUIET: Odds = { fails: 0, hangs: 0, changesPerSecond: 0, vanishPerSecond: 0 };
const LOOK_MS = 50;
/** Hosts at rest take less of the cores than this, looked at over so long, so many times. */
const CALM_CORES = 0.8;
const CALM_MS = 2_000;
const CALM_TRIES = 60;

/** A server that tells what it weighs, and simulated hosts that have come up and wait to join it. */
export class MeasuredFleet {
  readonly server: MeasuredServer;
  readonly swarm: Swarm;
  readonly hosts: number;

  private constructor(server: MeasuredServer, swarm: Swarm, hosts: number) {
    this.server = server;
    this.swarm = swarm;
    this.hosts = hosts;
  }

  static async start(hosts: number, processes: number, seed: number): Promise<MeasuredFleet> {
    const server = await MeasuredServer.start();
    const { fleet: parts } = server;
    const swarm = Swarm.start({
      server: { host: '127.0.0.1', identityPort: parts.identityPort },
      joinStrings: await makeJoinStrings(connectApi(parts.http, parts.token), hosts, seed),
      hosts,
      processes,
      seed,
      odds: QUIET,
      waitsToJoin: true,
    });
    const fleet = new MeasuredFleet(server, swarm, hosts);
    await fleet.until(`${hosts} hosts are up`, 1_200, ({ booted }) => booted === hosts);
    return fleet;
  }

  /** Changes of loaded kmods a second, over all hosts. One in `toldEvery` is told of to {@link Swarm.onChange}. */
  changes(changesPerSecond: number, toldEvery = 0): void {
    this.swarm.odds({ ...QUIET, changesPerSecond, toldEvery });
  }

  /** Waits for what the hosts have seen. @returns seconds it took. @throws Error saying how far it came */
  async until(what: string, seconds: number, isSo: (counts: WorkerCounts) => boolean): Promise<number> {
    const began = performance.now();
    for (;;) {
      const counts = this.swarm.counts();
      const tookSeconds = (performance.now() - began) / 1_000;
      if (isSo(counts)) return tookSeconds;
      if (tookSeconds > seconds)
        throw new Error(
          `${what}: not within ${seconds} s; ${counts.booted} up, ${counts.joined} joined, ${counts.live} live. ${counts.trouble.join('; ')}`,
        );
      await delay(LOOK_MS);
    }
  }

  /** Until every host has a session that the server accepted. */
  allLive(seconds: number): Promise<number> {
    return this.until(`all ${this.hosts} hosts are live`, seconds, ({ live }) => live === this.hosts);
  }

  /** Until the hosts have done what they were asked for: here they share what a real host has for itself. */
  async calm(): Promise<void> {
    for (let tries = 0; tries < CALM_TRIES; tries += 1) {
      const before = this.swarm.counts().cpuMs;
      await delay(CALM_MS);
      if (this.swarm.counts().cpuMs - before < CALM_MS * CALM_CORES) return;
    }
  }

  async stop(): Promise<void> {
    await this.swarm.stop();
    await this.server.fleet.stop();
  }
}
