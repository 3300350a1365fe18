import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Odds } from '../swarm/worker-words.ts';
import type { Delays } from '../fleet/measured-server.ts';
import type { MeasuredFleet } from '../fleet/measured-fleet.ts';

/** Loaded on every simulated host, so that a load of it changes nothing. */
export const UNCHANGED = { verb: 'load', kmod: 'loop' } as const;
/** Loaded on few of them. */
export const CHANGED = { verb: 'load', kmod: 'dummy' } as const;

const LOOK_MS = 100;
const PATIENCE_MS = 300_000;
/** Ticks of /proc/PID/stat a second. */
const TICKS = 100;

type Body = Record<string, unknown>;

/** What was done, how long it took, and what it cost. */
export interface Spent<T> {
  readonly result: T;
  readonly seconds: number;
  readonly delays: Delays;
  /** Processor time, ms: of the server, of PostgreSQL, of the hosts. */
  readonly serverMs: number;
  readonly postgresMs: number;
  readonly swarmMs: number;
}

/** Plans and rollouts over HTTP, and what only the rows say of them. */
export class RolloutApi {
  readonly fleet: MeasuredFleet;
  readonly #rows: pg.Client;
  #postgresPid = 0;

  private constructor(fleet: MeasuredFleet, rows: pg.Client) {
    this.fleet = fleet;
    this.#rows = rows;
  }

  static async open(fleet: MeasuredFleet): Promise<RolloutApi> {
    const rows = new pg.Client({ connectionString: fleet.server.fleet.databaseUrl });
    await rows.connect();
    const api = new RolloutApi(fleet, rows);
    const [backend] = await api.rows<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    api.#postgresPid = parentOf(backend?.pid ?? 0);
    return api;
  }

  async rows<Row extends object>(text: string, params: unknown[] = []): Promise<Row[]> {
    return (await this.#rows.query<Row>(text, params)).rows;
  }

  close(): Promise<void> {
    return this.#rows.end();
  }

  odds(odds: Partial<Odds>): void {
    this.fleet.swarm.odds({ fails: 0, hangs: 0, changesPerSecond: 0, vanishPerSecond: 0, ...odds });
  }

  /** @throws Error with what the server said */
  async post(path: string, body: Body = {}): Promise<Body> {
    const answer = await this.fleet.server.fleet.api('POST', `/api/v1${path}`, body);
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** A plan of all hosts that is ready. */
  async plan(what: { readonly verb: string; readonly kmod: string }): Promise<Body> {
    const made = await this.post('/rollout-plans', { ...what, all: true, answerWithin: 300 });
    return this.until(`/rollout-plans/${String(made['id'])}`, (plan) => plan['state'] === 'ready');
  }

  /** The thing once `isSo` holds of it. Looks often, and as a person would: by reading it. */
  async until(path: string, isSo: (body: Body) => boolean, patienceMs = PATIENCE_MS): Promise<Body> {
    const began = performance.now();
    for (;;) {
      const { status, body } = await this.fleet.server.fleet.api('GET', `/api/v1${path}`);
      if (status === 200 && isSo(body)) return body;
      if (performance.now() - began > patienceMs)
        throw new Error(`${path}: not within ${patienceMs / 1_000} s: ${status} ${JSON.stringify(body).slice(0, 400)}`);
      await delay(LOOK_MS);
    }
  }

  /** A rollout that has come to a standstill. */
  standing(id: string): Promise<Body> {
    const standstill = ['succeeded', 'failed', 'paused', 'aborted', 'rolled_back'];
    return this.until(`/rollouts/${id}`, ({ state }) => standstill.includes(String(state)));
  }

  /** Until rows say so; the caller's statement gives one row with a boolean. */
  async untilRows(text: string, params: unknown[], everyMs: number): Promise<void> {
    const began = performance.now();
    while (performance.now() - began < PATIENCE_MS) {
      const [row] = await this.rows<{ so: boolean }>(text, params);
      if (row?.so === true) return;
      await delay(everyMs);
    }
    throw new Error(`rows: not within ${PATIENCE_MS / 1_000} s: ${text}`);
  }

  async spent<T>(work: () => Promise<T>): Promise<Spent<T>> {
    const { server } = this.fleet;
    const before = { postgres: cpuMsOf(this.#postgresPid), swarm: await this.#swarmMs() };
    let seconds = 0;
    const { result, delays, cpuMs } = await server.watched(async () => {
      const began = performance.now();
      const done = await work();
      seconds = (performance.now() - began) / 1_000;
      return done;
    });
    const postgresMs = cpuMsOf(this.#postgresPid) - before.postgres;
    const swarmMs = (await this.#swarmMs()) - before.swarm;
    return { result, seconds, delays, serverMs: cpuMs, postgresMs, swarmMs };
  }

  async #swarmMs(): Promise<number> {
    // The hosts' processes tell of themselves every half second.
    await delay(600);
    return this.fleet.swarm.counts().cpuMs;
  }
}

/** "server 1.20, PostgreSQL 1.10, hosts 2.00 ms of CPU a host". */
export function costs({ serverMs, postgresMs, swarmMs }: Spent<unknown>, hosts: number): string {
  const each = (ms: number): string => (ms / hosts).toFixed(2);
  return `CPU a host: server ${each(serverMs)}, PostgreSQL ${each(postgresMs)}, simulated hosts ${each(swarmMs)} ms`;
}

/** Of a process and the children that it has and has had, ms. */
function cpuMsOf(pid: number): number {
  const own = (fields: readonly string[], waited: boolean): number =>
    fields.slice(11, waited ? 15 : 13).reduce((sum, ticks) => sum + Number(ticks), 0);
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(Number(name)) === pid);
  const ticks = own(statOf(pid), true) + children.reduce((sum, child) => sum + own(statOf(Number(child)), false), 0);
  return (ticks * 1_000) / TICKS;
}

function parentOf(pid: number): number {
  return Number(statOf(pid)[1] ?? 0);
}

/** From the state on: what comes before is a name that may have blanks. None for a process that is gone. */
function statOf(pid: number): string[] {
  try {
    const text = readFileSync(join('/proc', String(pid), 'stat'), 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
