import { createLog } from '../../../agent/src/log.ts';
import { readCaptured } from '../../../bench/swarm/captured-kernel.ts';
import { hostRandom, labelsKey, planHost } from '../../../bench/swarm/host-kinds.ts';
import { SwarmHost, type SwarmServer } from '../../../bench/swarm/swarm-host.ts';

/** Of the machines and their labels: the same in every run. */
export const HOSTS_SEED = 7;
const JOINS_AT_ONCE = 4;

/** A routine of a kmod that a host's kernel ran, as the kernel itself saw it. */
export interface Ran {
  /** Name of the host. */
  readonly host: string;
  readonly of: 'init' | 'exit';
  readonly fails: boolean;
}

/** Hosts in this process that do all that an agent does, over simulated kernels that keep a record of what was done to them. */
export class RolloutHosts {
  readonly hosts: readonly SwarmHost[];
  /** Routines of kmods, since the last {@link prepare}. */
  readonly ran: Ran[] = [];
  /** Requests that reached an engine, the same one told again included, since the last {@link prepare}. */
  arrivals = 0;
  readonly #failing = new Set<string>();
  #someoneElse = false;

  constructor(count: number, address: (number: number) => string) {
    const captured = readCaptured('debian-6.12');
    this.hosts = Array.from({ length: count }, (_, number) => {
      const random = hostRandom(HOSTS_SEED, number);
      const plan = planHost(number, random);
      return new SwarmHost({
        plan,
        localAddress: address(number),
        captured,
        behaviour: { routine: (_kmod, of) => this.#routine(plan.name, of) },
        stepMs: () => 20 + 60 * random(),
        log: createLog('error', () => undefined),
        random,
        onResult: () => undefined,
        onRequest: () => (this.arrivals += 1),
      });
    });
  }

  /** Joined, and each begins to connect. */
  async join(server: SwarmServer, joinStrings: Readonly<Record<string, string>>): Promise<void> {
    const waiting = this.hosts.values();
    const some = async (): Promise<void> => {
      for (const host of waiting) {
        await host.join(server, joinStrings[labelsKey(host.plan.labels)] ?? '');
        await host.appear({ connected: () => undefined, lost: () => undefined });
      }
    };
    await Promise.all(Array.from({ length: JOINS_AT_ONCE }, some));
  }

  /** Every routine ends well from now on, nobody holds the kmod, and it is loaded everywhere or nowhere; nothing of that is in the record. */
  prepare(kmod: string, loaded: boolean): void {
    this.#failing.clear();
    for (const { plan } of this.hosts) {
      this.hold(plan.name, kmod, false);
      this.change(plan.name, kmod, loaded);
    }
    this.ran.length = 0;
    this.arrivals = 0;
  }

  /** The next routines on this host fail. */
  fails(name: string): void {
    this.#failing.add(name);
  }

  /** Somebody on the host loads or unloads the kmod by hand. */
  change(name: string, kmod: string, loaded: boolean): void {
    const { kernel } = this.#named(name);
    this.#someoneElse = true;
    if (loaded) kernel.load(kmod);
    else kernel.unload(kmod);
    this.#someoneElse = false;
  }

  /** Something on the host uses the kmod, or no longer. */
  hold(name: string, kmod: string, holds: boolean): void {
    this.#named(name).kernel.hold(kmod, holds);
  }

  isLoaded(name: string, kmod: string): boolean {
    return this.#named(name).kernel.loadedNames().includes(kmod);
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.vanish()));
  }

  #named(name: string): SwarmHost {
    const host = this.hosts.find(({ plan }) => plan.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  #routine(host: string, of: 'init' | 'exit'): 'returns' | 'fails' {
    if (this.#someoneElse) return 'returns';
    const fails = this.#failing.has(host);
    this.ran.push({ host, of, fails });
    return fails ? 'fails' : 'returns';
  }
}
