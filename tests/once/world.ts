import { assertNever, type OutcomeWord } from '@modfleet/proto';
import { toUnsignedRequest } from '../../services/server/src/actions/action.mapper.ts';
import { nextSweep } from '../../services/server/src/actions/dispatch.rules.ts';
import type { Frame, ToAgent } from './frames.ts';
import type { Operation } from './operations.ts';
import { SimulatedMachine } from './simulated-machine.ts';
import { EPOCH as COMMAND_EPOCH, HOST, type Row, SimulatedServer, Tables } from './simulated-server.ts';

/** Somewhere in 2027. */
const EPOCH = 1_800_000_000_000;
const HOUR = 3_600_000;

/** After the expiry nothing is open any longer than this. */
const GRACE_MS = 60_000;

/** These say that nothing was begun. */
const UNTOUCHED: readonly OutcomeWord[] = ['refused', 'expired', 'cancelled', 'unchanged'];

/**
 * A server with its tables, a network, and a host, under one clock; everything that is decided is decided by the real code.
 *
 * INVARIANTS checked after every operation (`faults`):
 * - at most one effect per id and step, and each only with its intent on the disk;
 * - no first step after the expiry (while no server clock was set: a host cannot know that);
 * - nothing is open later than expiry + 60 s, while a server runs;
 * - what ended as refused, expired, cancelled or unchanged has no effect, then and later; a dry run never has one;
 * - an outcome is given once, and changes at most once more, from unconfirmed or stuck;
 * - nothing is sent again while a freeze holds;
 * - a forged request (an id of ours, other content) has no effect.
 */
export class World {
  readonly tables = new Tables();
  readonly machine: SimulatedMachine;
  readonly faults: string[] = [];
  /** How often something of this kind happened, for knowing that it did. */
  readonly seen = new Map<string, number>();
  server: SimulatedServer;
  #ms = EPOCH;
  #clockStepMs = 0;
  #clockWasSet = false;
  #hostClockMs = 0;
  #frames: Frame[] = [];
  #connection: { readonly no: number; readonly agent: object; readonly server: object } | undefined;
  #connections = 0;
  #ids = 0;

  constructor() {
    this.machine = new SimulatedMachine({
      now: () => this.#ms,
      send: (frame) => {
        const connection = this.#live();
        if (connection !== undefined) this.#frames.push({ to: 'server', connection: connection.no, frame });
      },
      onBegin: (id, journal) => this.#onBegin(id, journal),
    });
    this.server = this.#newServer();
    this.machine.start();
  }

  /** The host's wall clock: nothing may depend on it. */
  get hostWallClockMs(): number {
    return this.#ms + this.#hostClockMs;
  }

  /** A world in which the host is connected. */
  static async begin(): Promise<World> {
    const world = new World();
    await idle();
    await world.apply({ op: 'connect' });
    return world;
  }

  async apply(operation: Operation): Promise<void> {
    this.#do(operation);
    await idle();
    // A server that was slow may give back what is due by now; the sweeper, which looks every second, is next.
    if (operation.op === 'release' || operation.op === 'connect') {
      this.#up()?.sweep();
      await idle();
    }
    this.check();
  }

  #do(operation: Operation): void {
    switch (operation.op) {
      case 'create':
        return this.#create(operation);
      case 'cancel':
        return this.#up()?.cancel(pick([...this.tables.rows.keys()], operation.which) ?? '');
      case 'freeze':
        this.tables.frozen = operation.frozen;
        return this.#up()?.sweep();
      case 'forge':
        return this.#forge(operation.which);
      case 'connect':
        return this.connect();
      case 'disconnect':
        return this.#disconnect();
      case 'deliver':
        return this.#deliver(this.#index(operation.which));
      case 'drop':
        this.#frames.splice(this.#index(operation.which), 1);
        return;
      case 'repeat': {
        const frame = this.#frames[this.#index(operation.which)];
        if (frame !== undefined) this.#frames.push(frame);
        return;
      }
      case 'deliver_all':
        for (let count = this.#frames.length; count > 0; count--) this.#deliver(0);
        return;
      case 'time':
        return this.passes(operation.ms);
      case 'server_clock':
        this.#clockWasSet = true;
        this.#clockStepMs += operation.hours * HOUR;
        return this.#up()?.sweep();
      case 'host_clock':
        this.#hostClockMs += operation.hours * HOUR;
        return;
      case 'sleep':
        return this.machine.sleep();
      case 'wake':
        return this.machine.wake();
      case 'program_ends':
        return this.machine.endProgram(operation.how);
      case 'slow':
        return this.machine.slow(operation.yes);
      case 'disk':
        this.machine.disk.fault = operation.fault;
        return;
      case 'kill_agent':
        return this.machine.agent?.process.dieAfter(operation.points);
      case 'kill_server':
        return this.server.process.dieAfter(operation.points);
      case 'slow_agent':
        return this.machine.agent?.process.holdAfter(operation.points);
      case 'slow_server':
        return this.server.process.holdAfter(operation.points);
      case 'release':
        return this.release();
      case 'reboot':
        this.#disconnect();
        this.machine.reboot(operation.how, operation.share);
        return this.machine.start();
      default:
        assertNever(operation);
    }
  }

  /** What died is started, what is slow goes on. */
  release(): void {
    if (!this.server.process.alive) {
      this.server = this.#newServer();
      this.server.sweep();
    }
    this.server.process.release();
    if (this.machine.asleep) return;
    if (this.machine.agent === undefined) this.machine.start();
    this.machine.agent?.process.release();
  }

  connect(): void {
    this.release();
    const { agent } = this.machine;
    if (agent?.started !== true || this.machine.asleep || this.#live() !== undefined) return;
    this.#connections += 1;
    this.tables.sessionNo = this.#connections;
    this.#connection = { no: this.#connections, agent, server: this.server };
    agent.welcomed(this.#serverNow(), this.machine.bootClock.nowMs());
    this.server.connected();
  }

  /** Time goes by: beats, sweeps, and what waited. */
  passes(ms: number): void {
    this.#ms += ms;
    if (!this.machine.asleep) {
      this.machine.agent?.tick();
      this.machine.agent?.beat();
    }
    this.#up()?.sweep();
  }

  /** Everything that stands in the way goes, and time passes until nothing can be open. */
  async heal(): Promise<void> {
    this.tables.frozen = false;
    this.machine.disk.fault = 'none';
    this.machine.wake();
    this.machine.slow(false);
    this.machine.agent?.process.calm();
    this.server.process.calm();
    // What a frame was lost for is said again over the next connection.
    this.#disconnect();
    const last = Math.max(0, ...[...this.tables.rows.values()].map((row) => row.expiresAt.getTime()));
    for (const wait of [1_000, 6_000, 6_000, Math.max(0, last + GRACE_MS - this.#serverNow()), 6_000, 6_000]) {
      this.machine.endAllPrograms();
      this.connect();
      await idle();
      for (let round = 0; round < 8 && this.#frames.length > 0; round++) {
        while (this.#frames.length > 0) this.#deliver(0);
        await idle();
      }
      this.passes(wait);
      await idle();
      this.check();
    }
  }

  check(): void {
    const { effects } = this.machine.kernel;
    const twice = effects.find((effect, index) => effects.indexOf(effect) !== index);
    if (twice !== undefined) this.faults.push(`done twice: ${twice}`);
    for (const row of this.tables.rows.values()) this.#checkRow(row, effects);
    const stranger = effects.find((effect) => !this.tables.rows.has(effect.split(' ')[0] ?? ''));
    if (stranger !== undefined) this.faults.push(`nobody asked for: ${stranger}`);
  }

  #checkRow(row: Row, effects: readonly string[]): void {
    const own = effects.filter((effect) => effect.startsWith(`${row.id} `));
    const word = row.words.at(-1);
    if (word !== undefined && UNTOUCHED.includes(word) && own.length > 0)
      this.faults.push(`${row.id} is ${word}, and did: ${own.join(', ')}`);
    if (row.request.dryRun && own.length > 0) this.faults.push(`a dry run did: ${own.join(', ')}`);
    if (own.some((effect) => !effect.endsWith(` ${row.request.kmod}`)))
      this.faults.push(`${row.id} did another's work: ${own.join(', ')}`);
    const [first, second, ...more] = row.words;
    if (more.length > 0 || (second !== undefined && first !== 'unconfirmed' && first !== 'stuck'))
      this.faults.push(`${row.id} had the outcomes ${row.words.join(', ')}`);
    const due = nextSweep(row)?.getTime();
    if (this.#up() !== undefined && due !== undefined && due <= this.#serverNow())
      this.faults.push(
        `${row.id} is still ${row.state} ${this.#serverNow() - row.expiresAt.getTime()} ms after its expiry`,
      );
  }

  #create({ verb, kmod, dryRun, lifeMs }: Extract<Operation, { op: 'create' }>): void {
    this.#ids += 1;
    this.#up()?.create({
      id: `00000000-0000-4000-8000-${String(this.#ids).padStart(12, '0')}`,
      hostId: HOST,
      verb,
      kmod,
      parameters: verb === 'set_parameters' ? [`p=${this.#ids % 2}`] : [],
      dryRun,
      reason: null,
      requestedBy: 'ops',
      expiresAt: new Date(this.#serverNow() + lifeMs),
      confirmWindowSeconds: 0,
      overrides: [],
      undo: [],
      approvedPlans: [],
      rolloutId: null,
      planId: null,
      epoch: COMMAND_EPOCH,
      sequence: this.#ids,
      notBefore: new Date(this.#serverNow()),
    });
  }

  /** The same id for another kmod; a host that took it would do another's work. */
  #forge(which: number): void {
    const row = pick([...this.tables.rows.values()], which);
    const connection = this.#live();
    if (row === undefined || connection === undefined || row.dispatchedAt === null) return;
    this.#count('forged');
    const request = { ...toUnsignedRequest(row.request), kmod: row.request.kmod === 'x' ? 'y' : 'x' };
    // Only an id that the host has seen can be told from a forged one.
    if (this.machine.promisedJournal().includes(`${row.id} `))
      this.#frames.push({ to: 'agent', connection: connection.no, frame: { kind: 'request', request } });
  }

  #onBegin(id: string, journal: string): void {
    this.#count('begun');
    if (!journal.includes(`${id} {"kind":"intent"`))
      this.faults.push(`a step of ${id} began without an intent on the disk`);
    const row = this.tables.rows.get(id);
    const first = !this.machine.kernel.effects.some((effect) => effect.startsWith(`${id} `));
    if (
      row !== undefined &&
      first &&
      !this.#clockWasSet &&
      this.#serverNow() > row.expiresAt.getTime() &&
      !this.#isLoadHalf(id)
    )
      this.faults.push(`${id} began ${this.#serverNow() - row.expiresAt.getTime()} ms after its expiry`);
  }

  /** The load half of a reload is finished whatever the clock says. */
  #isLoadHalf(id: string): boolean {
    return this.machine.kernel.effects.includes(`${id} rmmod ${this.tables.rows.get(id)?.request.kmod ?? ''}`);
  }

  #newServer(): SimulatedServer {
    this.#connection = undefined;
    const server: SimulatedServer = new SimulatedServer(this.tables, {
      now: () => this.#serverNow(),
      connected: () => this.#live()?.server === server,
      send: (frame: ToAgent) => {
        const connection = this.#live();
        if (connection?.server !== server) return false;
        if (frame.kind === 'request' && frame.request.sentBefore === true && this.tables.frozen)
          this.faults.push(`${frame.request.actionId} was sent again while a freeze holds`);
        this.#frames.push({ to: 'agent', connection: connection.no, frame });
        return true;
      },
    });
    return server;
  }

  /** The connection, unless one of its ends is dead. */
  #live() {
    const connection = this.#connection;
    const whole =
      connection !== undefined &&
      connection.agent === this.machine.agent &&
      connection.server === this.server &&
      this.server.process.alive;
    return whole ? connection : undefined;
  }

  #disconnect(): void {
    this.#connection = undefined;
    this.machine.agent?.disconnected();
    // A frame to a host dies with its connection; one from a host may have been read before.
    this.#frames = this.#frames.filter((frame) => frame.to === 'server');
  }

  #deliver(index: number): void {
    const [frame] = this.#frames.splice(index, 1);
    if (frame === undefined) return;
    if (frame.to === 'server') {
      void this.#up()?.take(frame.frame, frame.connection);
      return;
    }
    this.#count(`agent got ${frame.frame.kind}`);
    if (frame.connection === this.#live()?.no) void this.machine.agent?.take(frame.frame);
  }

  #up(): SimulatedServer | undefined {
    return this.server.process.alive ? this.server : undefined;
  }

  #serverNow(): number {
    return this.#ms + this.#clockStepMs;
  }

  #index(which: number): number {
    return this.#frames.length === 0 ? 0 : which % this.#frames.length;
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }
}

function pick<T>(list: readonly T[], which: number): T | undefined {
  return list[which % Math.max(1, list.length)];
}

/** Everything that can happen without time passing has happened: all of it is promises, which a macrotask outlives. */
async function idle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise<void>((resolve) => setImmediate(resolve));
}
