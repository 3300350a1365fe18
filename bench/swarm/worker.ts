import { createLog, type Log } from '../../agent/src/log.ts';
import { messageOf } from '../../agent/src/error-words.ts';
import { type CapturedKernel, readCaptured } from './captured-kernel.ts';
import { hostRandom, labelsKey, planHost, RARE } from './host-kinds.ts';
import { pick, type Random, weighted } from './random.ts';
import { seededRandom } from '../../tests/e2e/support/seeded-random.ts';
import { SwarmHost } from './swarm-host.ts';
import type { FromWorker, Odds, ToWorker, WorkerCounts, WorkerSettings } from './worker-words.ts';

const COUNTS_MS = 500;
const TICK_MS = 100;
/** Median of how long a step takes, ms. */
const STEP_MS = 20;
const AWAY_MS = 20_000;
const TROUBLE_KEPT = 20;
/** Hosts that come up at a time. */
const BOOTS_AT_ONCE = 4;
const HOSTS_PER_ADDRESS = 20;
/** Kernels, and how many of a hundred hosts run each. */
const KERNELS = [
  ['debian-6.12', 65],
  ['debian-6.1', 35],
] as const;

/** One process of the swarm: so many hosts. */
class Worker {
  readonly #settings: WorkerSettings;
  readonly #random: Random;
  readonly #log: Log;
  readonly #hosts: SwarmHost[] = [];
  readonly #live = new Set<SwarmHost>();
  readonly #trouble = new Map<string, number>();
  readonly #actions: Record<string, number> = {};
  #odds: Odds;
  readonly #mayJoin = Promise.withResolvers<void>();
  #booted = 0;
  #joined = 0;
  #joinFailures = 0;
  #welcomes = 0;
  #changes = 0;
  #routines = 0;
  #stopped = false;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#odds = settings.odds;
    this.#random = seededRandom(settings.seed + settings.first);
    // Ten thousand hosts would say ten thousand times the same: the words are counted.
    this.#log = createLog('warn', (line) => this.#heard(line));
  }

  async start(): Promise<void> {
    const captured = KERNELS.map(([name]) => readCaptured(name));
    const { first, hosts } = this.#settings;
    for (let number = first; number < first + hosts; number += 1) this.#hosts.push(this.#make(number, captured));
    if (!this.#settings.waitsToJoin) this.join();
    await this.#forEach(BOOTS_AT_ONCE, async (host) => {
      await host.boot();
      this.#booted += 1;
    });
    await this.#mayJoin.promise;
    setInterval(() => this.#tick(), TICK_MS);
    await this.#forEach(this.#settings.joinsAtOnce, (host) => this.#join(host));
  }

  join(): void {
    this.#mayJoin.resolve();
  }

  async #forEach(atOnce: number, work: (host: SwarmHost) => Promise<void>): Promise<void> {
    const waiting = this.#hosts.values();
    const some = async (): Promise<void> => {
      for (const host of waiting) if (!this.#stopped) await work(host);
    };
    await Promise.all(Array.from({ length: atOnce }, some));
  }

  odds(odds: Odds): void {
    this.#odds = odds;
  }

  storm(): void {
    for (const host of this.#hosts) host.reconnect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#hosts.map((host) => host.vanish()));
  }

  counts(): WorkerCounts {
    const { user, system } = process.cpuUsage();
    return {
      booted: this.#booted,
      joined: this.#joined,
      joinFailures: this.#joinFailures,
      live: this.#live.size,
      welcomes: this.#welcomes,
      changes: this.#changes,
      actions: { ...this.#actions },
      routines: this.#routines,
      rssMb: process.memoryUsage.rss() / 2 ** 20,
      cpuMs: (user + system) / 1000,
      trouble: [...this.#trouble].map(([words, times]) => `${times}× ${words}`),
    };
  }

  #make(number: number, captured: readonly CapturedKernel[]): SwarmHost {
    const random = hostRandom(this.#settings.seed, number);
    const plan = planHost(number, random);
    const kernel =
      captured[
        weighted(
          random,
          KERNELS.map(([, share]) => share),
        )
      ];
    if (kernel === undefined) throw new Error('no kernel was captured');
    return new SwarmHost({
      plan,
      localAddress: loopback(number),
      captured: kernel,
      behaviour: {
        routine: () => {
          this.#routines += 1;
          const drawn = random();
          return drawn < this.#odds.hangs ? 'hangs' : drawn < this.#odds.hangs + this.#odds.fails ? 'fails' : 'returns';
        },
      },
      stepMs: () => STEP_MS * (0.5 + random()),
      log: this.#log,
      random,
      onResult: (outcome) => (this.#actions[outcome] = (this.#actions[outcome] ?? 0) + 1),
    });
  }

  async #join(host: SwarmHost): Promise<void> {
    for (;;) {
      try {
        await host.join(this.#settings.server, this.#settings.joinStrings[labelsKey(host.plan.labels)] ?? '');
        break;
      } catch (error) {
        this.#joinFailures += 1;
        this.#note(`join: ${messageOf(error)}`);
        if (this.#stopped) return;
        await new Promise((resolve) => setTimeout(resolve, 500 + this.#random() * 1_500));
      }
    }
    this.#joined += 1;
    await this.#appear(host);
  }

  async #appear(host: SwarmHost): Promise<void> {
    if (this.#stopped) return;
    await host.appear({
      connected: () => {
        this.#welcomes += 1;
        this.#live.add(host);
      },
      lost: () => this.#live.delete(host),
    });
  }

  async #away(host: SwarmHost, ms: number): Promise<void> {
    if (!host.isThere) return;
    await host.vanish();
    this.#live.delete(host);
    await new Promise((resolve) => setTimeout(resolve, ms));
    await this.#appear(host);
  }

  #tick(): void {
    const times = (perSecond: number): number => {
      const expected = (perSecond * TICK_MS) / 1_000;
      return Math.floor(expected) + (this.#random() < expected % 1 ? 1 : 0);
    };
    for (let each = times(this.#odds.changesPerSecond); each > 0; each -= 1) this.#change();
    for (let each = times(this.#odds.vanishPerSecond); each > 0; each -= 1) {
      const host = pick(this.#random, this.#hosts);
      void this.#away(host, this.#random() * AWAY_MS);
    }
  }

  /** Somebody on the host loads or unloads a rare kmod. */
  #change(): void {
    const { kernel, plan } = pick(this.#random, this.#hosts);
    const loaded = new Set(kernel.loadedNames());
    const name = pick(this.#random, RARE);
    const effect = loaded.has(name) ? kernel.unload(name) : kernel.load(name);
    if (effect.kind !== 'done') return;
    this.#changes += 1;
    const { toldEvery = 0 } = this.#odds;
    if (toldEvery > 0 && this.#changes % toldEvery === 0)
      say({ kind: 'change', change: { host: plan.name, kmod: name, isLoaded: !loaded.has(name) } });
  }

  #heard(line: string): void {
    this.#note((JSON.parse(line) as { msg: string }).msg);
  }

  #note(words: string): void {
    const plain = words.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d+/g, '…').slice(0, 160);
    if (this.#trouble.has(plain) || this.#trouble.size < TROUBLE_KEPT)
      this.#trouble.set(plain, (this.#trouble.get(plain) ?? 0) + 1);
  }
}

/** So many hosts on one address, as behind a small gateway each. 127.0.0.0/8 is all loopback on Linux. */
function loopback(number: number): string {
  const gateway = Math.floor(number / HOSTS_PER_ADDRESS);
  return `127.77.${Math.floor(gateway / 250)}.${(gateway % 250) + 1}`;
}

let worker: Worker | undefined;

function say(word: FromWorker): void {
  // Who started this may be gone: then it ends too (below).
  process.send?.(word, undefined, undefined, () => undefined);
}

process.on('message', (word: ToWorker) => {
  switch (word.kind) {
    case 'start':
      worker = new Worker(word.settings);
      setInterval(() => worker !== undefined && say({ kind: 'counts', counts: worker.counts() }), COUNTS_MS);
      void worker.start();
      return;
    case 'join':
      worker?.join();
      return;
    case 'storm':
      worker?.storm();
      return;
    case 'odds':
      worker?.odds(word.odds);
      return;
    case 'stop':
      void (worker?.stop() ?? Promise.resolve()).finally(() => {
        if (worker !== undefined) say({ kind: 'counts', counts: worker.counts() });
        say({ kind: 'stopped' });
        process.disconnect();
        process.exit();
      });
  }
});
// Nothing outlives the one that started it.
process.once('disconnect', () => process.exit());
