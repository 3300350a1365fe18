import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { requireOpenFiles } from './open-files.ts';
import type { FromWorker, Odds, ToldChange, ToWorker, WorkerCounts, WorkerSettings } from './worker-words.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
/** Enrolments under way at a time, over all processes: a certificate takes the server a few ms. */
const JOINS_AT_ONCE = 200;

export interface SwarmOptions {
  readonly server: WorkerSettings['server'];
  readonly joinStrings: WorkerSettings['joinStrings'];
  readonly hosts: number;
  readonly processes: number;
  readonly seed: number;
  readonly odds: Odds;
  /** Hosts that have come up wait for {@link Swarm.join}. */
  readonly waitsToJoin?: boolean;
}

const NO_COUNTS: WorkerCounts = {
  booted: 0,
  joined: 0,
  joinFailures: 0,
  live: 0,
  welcomes: 0,
  changes: 0,
  actions: {},
  routines: 0,
  rssMb: 0,
  cpuMs: 0,
  trouble: [],
};

/** Many simulated hosts, over several processes. Ends with the process that started it. */
export class Swarm {
  readonly #workers: { readonly child: ChildProcess; counts: WorkerCounts }[] = [];
  readonly #ended: Promise<unknown>[] = [];
  #onChange: (change: ToldChange) => void = () => undefined;

  /** @throws ScriptError where a process may not have as many files open as it has hosts */
  static start(options: SwarmOptions): Swarm {
    requireOpenFiles(options.hosts, options.processes);
    const swarm = new Swarm();
    const { hosts, processes } = options;
    for (let each = 0; each < processes; each += 1) {
      const first = Math.floor((hosts * each) / processes);
      const upTo = Math.floor((hosts * (each + 1)) / processes);
      swarm.#begin({
        server: options.server,
        joinStrings: options.joinStrings,
        seed: options.seed,
        first,
        hosts: upTo - first,
        joinsAtOnce: Math.ceil(JOINS_AT_ONCE / processes),
        waitsToJoin: options.waitsToJoin ?? false,
        odds: share(options.odds, processes),
      });
    }
    return swarm;
  }

  /** What the hosts have seen, all together. */
  counts(): WorkerCounts {
    const all = this.#workers.map(({ counts }) => counts);
    const sum = (pick: (counts: WorkerCounts) => number): number => all.reduce((total, one) => total + pick(one), 0);
    const actions: Record<string, number> = {};
    for (const one of all)
      for (const [outcome, times] of Object.entries(one.actions)) actions[outcome] = (actions[outcome] ?? 0) + times;
    return {
      booted: sum((one) => one.booted),
      joined: sum((one) => one.joined),
      joinFailures: sum((one) => one.joinFailures),
      live: sum((one) => one.live),
      welcomes: sum((one) => one.welcomes),
      changes: sum((one) => one.changes),
      actions,
      routines: sum((one) => one.routines),
      rssMb: sum((one) => one.rssMb),
      cpuMs: sum((one) => one.cpuMs),
      trouble: all.flatMap((one) => one.trouble),
    };
  }

  /** Hears of the changes that are told of; one listener. */
  onChange(listener: (change: ToldChange) => void): void {
    this.#onChange = listener;
  }

  get pids(): number[] {
    return this.#workers.flatMap(({ child }) => child.pid ?? []);
  }

  /** All hosts that came up join now. */
  join(): void {
    this.#say({ kind: 'join' });
  }

  /** Breaks every connection at once; the hosts come back as they would after that. */
  storm(): void {
    this.#say({ kind: 'storm' });
  }

  odds(odds: Odds): void {
    this.#say({ kind: 'odds', odds: share(odds, this.#workers.length) });
  }

  async stop(): Promise<void> {
    this.#say({ kind: 'stop' });
    await Promise.all(this.#ended);
  }

  #begin(settings: WorkerSettings): void {
    const child = fork(WORKER, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const worker = { child, counts: NO_COUNTS };
    this.#workers.push(worker);
    child.on('message', (word: FromWorker) => {
      if (word.kind === 'counts') worker.counts = word.counts;
      else if (word.kind === 'change') this.#onChange(word.change);
    });
    this.#ended.push(new Promise((resolve) => child.once('exit', resolve)));
    child.send({ kind: 'start', settings } satisfies ToWorker);
  }

  #say(word: ToWorker): void {
    for (const { child } of this.#workers) if (child.connected) child.send(word);
  }
}

function share(odds: Odds, processes: number): Odds {
  return {
    ...odds,
    changesPerSecond: odds.changesPerSecond / processes,
    vanishPerSecond: odds.vanishPerSecond / processes,
  };
}
