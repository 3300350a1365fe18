import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestFleet } from '../../tests/e2e/support/fleet.ts';

const PROBE = fileURLToPath(new URL('probe.mjs', import.meta.url));

/** How long what the event loop had to do waited, ms. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Something that was done, and the server meanwhile. */
export interface Watched<T> {
  readonly result: T;
  readonly delays: Delays;
  /** Processor time of the server's process, without PostgreSQL's. */
  readonly cpuMs: number;
  /** The same, of one core. */
  readonly cpuPercent: number;
}

/** A server of a process of its own, with a durable database, that tells what it weighs. */
export class MeasuredServer {
  readonly fleet: TestFleet;

  private constructor(fleet: TestFleet) {
    this.fleet = fleet;
  }

  static async start(): Promise<MeasuredServer> {
    const fleet = new TestFleet({ durable: true });
    await fleet.startWith({
      // What this process was told goes on: --cpu-prof, say.
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import ${PROBE}`,
      FLEET_PROBE: join(fleet.folder, 'probe'),
      // What one caller may ask for in a second is not what is measured.
      MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
      MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
      // A look at all devices and files takes 20 ms: real hosts have that, ten thousand simulated ones share two cores. What is loaded is looked at as ever.
      MODFLEET_FACET_INTERVAL_MS: '3600000',
      MODFLEET_LOG_LEVEL: 'warn',
    });
    return new MeasuredServer(fleet);
  }

  /** Bytes after a garbage collection. */
  async memory(): Promise<NodeJS.MemoryUsage> {
    return (await this.#ask('/memory')) as NodeJS.MemoryUsage;
  }

  /** What `work` gives, and what the server's process had to do meanwhile. */
  async watched<T>(work: () => Promise<T>): Promise<Watched<T>> {
    await this.#ask('/watch-delays');
    const before = await this.#cpu();
    const result = await work();
    const after = await this.#cpu();
    const cpuMs = (after.usedUs - before.usedUs) / 1_000;
    return {
      result,
      delays: (await this.#ask('/delays')) as Delays,
      cpuMs,
      cpuPercent: (cpuMs / (after.atMs - before.atMs)) * 100,
    };
  }

  async #cpu(): Promise<{ usedUs: number; atMs: number }> {
    const { user, system, atMs } = (await this.#ask('/cpu')) as { user: number; system: number; atMs: number };
    return { usedUs: user + system, atMs };
  }

  #ask(path: string): Promise<unknown> {
    const socketPath = join(this.fleet.folder, 'probe');
    return new Promise((resolve, reject) => {
      request({ socketPath, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve(JSON.parse(text)));
      })
        .on('error', reject)
        .end();
    });
  }
}
