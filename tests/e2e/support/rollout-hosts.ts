import { createLog } from '../../../agent/src/log.ts';
import { readCaptured } from '../../../bench/swarm/captured-kernel.ts';
import { hostRandom, labelsKey, planHost } from '../../../bench/swarm/host-kinds.ts';
import { SwarmHost, type SwarmServer } from '../../../bench/swarm/swarm-host.ts';

/** Of the machines and their labels: the same in every run. */
export const HOSTS_SEED = 7;
const JOINS_AT_ONCE = 4;
/** A routine that hangs is called stuck after this long; an agent waits for twenty seconds, in which nothing happens that has not happened in one. */
const HANG_MS = 1_000;

/** A routine of a kmod that a host's kernel ran, as the kernel itself saw it. */
export interface Ran {
  /** Name of the host. */
  readonly host: string;
  readonly of: 'init' | 'exit';
  readonly end: 'returned' | 'failed' | 'hung';
}

const ROUTINE_BY_END = { returned: 'returns', failed: 'fails', hung: 'hangs' } as const;

/** Hosts in this process that do all that an agent does, over simulated kernels that keep a record of what was done to them. */
export class RolloutHosts {
  readonly hosts: readonly SwarmHost[];
  /** Routines of kmods, since the last {@link prepare}. */
  readonly ran: Ran[] = [];
  /** Requests that reached an engine, the same one told again included, since a rollout was created. */
  arrivals = 0;
  /** Sessions that ended, and attempts at one, since the last {@link prepare}. */
  lost = 0;
  readonly #away = new Set<SwarmHost>();
  readonly #failing = new Set<string>();
  readonly #hanging = new Set<string>();
  /** Hosts on which somebody uses the kmod, until when. */
  readonly #users = new Map<string, NodeJS.Timeout | undefined>();
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
        behaviour: { routine: (kmod, of) => this.#routine(plan.name, kmod, of) },
        stepMs: () => 20 + 60 * random(),
        hangMs: HANG_MS,
        log: createLog('error', () => undefined),
        random,
        onResult: () => undefined,
        onRequest: () => (this.arrivals += 1),
      });
    });
  }

  /** Joined, and each begins to connect. @param serverOf by the host's number. */
  async join(serverOf: (number: number) => SwarmServer, joinStrings: Readonly<Record<string, string>>): Promise<void> {
    const waiting = this.hosts.entries();
    const some = async (): Promise<void> => {
      for (const [number, host] of waiting) {
        await host.join(serverOf(number), joinStrings[labelsKey(host.plan.labels)] ?? '');
        await host.appear({ connected: () => this.#away.delete(host), lost: () => this.#lose(host) });
      }
    };
    await Promise.all(Array.from({ length: JOINS_AT_ONCE }, some));
  }

  /** Every routine ends well from now on, nobody holds the kmod, and it is loaded everywhere or nowhere; nothing of that is in the record. */
  prepare(kmod: string, loaded: boolean): void {
    this.#failing.clear();
    this.#hanging.clear();
    for (const name of this.#users.keys()) this.#letGo(name, kmod);
    this.returnLate(kmod);
    for (const { plan } of this.hosts) {
      this.change(plan.name, kmod, loaded);
    }
    this.ran.length = 0;
    this.lost = 0;
  }

  /** Who has no session tries again now, not when its wait is over. */
  tryAgain(): void {
    for (const host of this.#away) host.reconnect();
  }

  /** The next routines on this host fail. */
  fails(name: string): void {
    this.#failing.add(name);
  }

  /** The next exit routine on this host does not return. */
  hangs(name: string): void {
    this.#hanging.add(name);
  }

  /** Exit routines that hang return after all, everywhere. */
  returnLate(kmod: string): void {
    for (const { kernel } of this.hosts) kernel.exitReturns(kmod);
  }

  /** Somebody on the host loads or unloads the kmod by hand. */
  change(name: string, kmod: string, loaded: boolean): void {
    const { kernel } = this.#named(name);
    this.#someoneElse = true;
    if (loaded) kernel.load(kmod);
    else kernel.unload(kmod);
    this.#someoneElse = false;
  }

  /** Something on the host uses the kmod, or begins to as soon as it is loaded; for so long, or until the next {@link prepare}. */
  uses(name: string, kmod: string, forMs?: number): void {
    const timer = forMs === undefined ? undefined : setTimeout(() => this.#letGo(name, kmod), forMs);
    this.#users.set(name, timer);
    this.#named(name).kernel.hold(kmod, true);
  }

  isLoaded(name: string, kmod: string): boolean {
    return this.#named(name).kernel.loadedNames().includes(kmod);
  }

  async stop(): Promise<void> {
    for (const timer of this.#users.values()) clearTimeout(timer);
    await Promise.all(this.hosts.map((host) => host.vanish()));
  }

  #lose(host: SwarmHost): void {
    this.lost += 1;
    this.#away.add(host);
  }

  #letGo(name: string, kmod: string): void {
    clearTimeout(this.#users.get(name));
    this.#users.delete(name);
    this.#named(name).kernel.hold(kmod, false);
  }

  #named(name: string): SwarmHost {
    const host = this.hosts.find(({ plan }) => plan.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  #routine(host: string, kmod: string, of: 'init' | 'exit'): 'returns' | 'fails' | 'hangs' {
    if (this.#someoneElse) return 'returns';
    const end = this.#failing.has(host) ? 'failed' : of === 'exit' && this.#hanging.has(host) ? 'hung' : 'returned';
    this.ran.push({ host, of, end });
    // The kmod is on the list when its routine has returned.
    if (of === 'init' && end === 'returned' && this.#users.has(host))
      queueMicrotask(() => this.#named(host).kernel.hold(kmod, true));
    return ROUTINE_BY_END[end];
  }
}
