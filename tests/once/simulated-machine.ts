import type { ActionRequest, PlanStep } from '@modfleet/proto';
import type { KernelState } from '../../agent/src/actions/action-host.ts';
import type { StepEnd, StepReport } from '../../agent/src/actions/action.machine.ts';
import { refusalVerdict } from '../../agent/src/actions/findings/refusal.ts';
import { KmodActionEngine } from '../../agent/src/actions/engine.ts';
import type { Disk } from '../../agent/src/actions/journal/disk.ts';
import { FileJournal } from '../../agent/src/actions/journal/file-journal.ts';
import { type PowerCut, SimulatedDisk } from '../../agent/src/actions/testing/simulated-disk.ts';
import { QuietLog, SimulatedHost, SimulatedKernel } from '../../agent/src/actions/testing/simulated-host.ts';
import { FreshTimeGate } from '../../agent/src/session/fresh-time-gate.ts';
import { OffsetServerClock } from '../../agent/src/time/server-clock.ts';
import type { ToAgent, ToServer } from './frames.ts';
import { SimulatedProcess } from './process.ts';

const STATE = '/var/lib/modfleet';
const JOURNAL = `${STATE}/actions.journal`;

/** What /proc/modules shows of a kmod while such a step is at work on it; of a write it shows nothing. */
const THROUGH: Readonly<Record<string, KernelState>> = { rmmod: 'unloading', modprobe: 'loading' };

/** A program that changes the kernel. It lives on when its agent dies, and ends when the machine stops. */
interface Program {
  readonly id: string;
  readonly step: PlanStep;
  /** Its time limit is over: the agent has called it stuck. */
  late: boolean;
  readonly report: (end: StepEnd) => void;
}

/** What a machine talks to. */
export interface MachineWorld {
  /** True time, ms. */
  now(): number;
  /** Sent over the present connection, if there is one. */
  send(frame: ToServer): void;
  /** A first step begins. */
  onBegin(id: string, journal: string): void;
}

/** One host over the lives of its agents: kernel, disk, clock, programs. */
export class SimulatedMachine {
  readonly kernel = new SimulatedKernel();
  readonly disk = new SimulatedDisk();
  readonly #world: MachineWorld;
  readonly #programs: Program[] = [];
  #boots = 1;
  #bootedAt: number;
  #slow = false;
  #agent: SimulatedAgent | undefined;
  asleep = false;

  constructor(world: MachineWorld) {
    this.#world = world;
    // Boot time does not begin at 0 when the first agent starts.
    this.#bootedAt = world.now() - 60_000;
    this.disk.point = () => this.#agent?.process.point() ?? Promise.resolve();
  }

  get agent(): SimulatedAgent | undefined {
    return this.#agent?.process.alive === true ? this.#agent : undefined;
  }

  readonly bootClock = { nowMs: (): number => this.#world.now() - this.#bootedAt };

  /** Starts an agent; the one before is dead. */
  start(): void {
    this.#agent?.process.kill();
    const agent = new SimulatedAgent(this, this.#world);
    if (this.asleep) agent.process.hold();
    this.#agent = agent;
    agent.start();
  }

  sleep(): void {
    this.asleep = true;
    this.#agent?.process.hold();
  }

  wake(): void {
    this.asleep = false;
    this.#agent?.process.release();
  }

  /** Programs take their time from now on, or end at once. */
  slow(yes: boolean): void {
    this.#slow = yes;
  }

  /** The machine stops, and starts with an empty kernel. */
  reboot(how: PowerCut, share: number): void {
    this.#agent?.process.kill();
    this.#programs.length = 0;
    this.kernel.loaded.clear();
    this.kernel.halfway.clear();
    this.kernel.parameters.clear();
    this.#boots += 1;
    this.kernel.bootId = `boot-${this.#boots}`;
    this.#bootedAt = this.#world.now();
    this.disk.powerCut(how, share);
    this.asleep = false;
  }

  /** Runs a step as a program. */
  run(step: PlanStep, id: string): Promise<StepEnd> {
    return new Promise((report) => {
      this.#programs.push({ id, step, late: false, report });
      if (!this.#slow) this.endProgram('done');
    });
  }

  /** The oldest program ends: its effect comes now. `stuck`: its time is over, and it goes on. */
  endProgram(how: 'done' | 'rejected' | 'stuck'): void {
    const program = this.#programs[0];
    if (program === undefined || this.asleep) return;
    const { step, id } = program;
    const { halfway, effects } = this.kernel;
    const through = THROUGH[step.kind];
    if (how === 'stuck') {
      program.late = true;
      if (through !== undefined) halfway.set(step.kmod, through);
      program.report({ kind: 'stuck', message: 'it does not return' });
      return;
    }
    this.#programs.shift();
    halfway.delete(step.kmod);
    if (how === 'done') {
      effects.push(`${id} ${step.kind} ${step.kmod}`);
      this.kernel.apply(step);
    }
    program.report(how === 'done' ? { kind: 'done' } : { kind: 'rejected', message: 'no' });
  }

  endAllPrograms(): void {
    while (this.#programs.length > 0 && !this.asleep) this.endProgram('done');
  }

  runs(kmod: string): boolean {
    return this.#programs.some((program) => program.step.kmod === kmod);
  }

  promisedJournal(): string {
    return this.disk.promised(JOURNAL);
  }

  /** As a process would read it now. */
  journalBytes(): Buffer | undefined {
    return this.disk.bytes(JOURNAL);
  }

  changeJournal(how: (bytes: Buffer) => Buffer): void {
    this.disk.change(JOURNAL, how);
  }

  journal(process: SimulatedProcess): FileJournal {
    return new FileJournal(STATE, diskOf(this.disk, process));
  }
}

/** The disk as one process has it: what a dead one still had in mind is never done. */
function diskOf(disk: Disk, process: SimulatedProcess): Disk {
  const alive = async (): Promise<void> => {
    if (!process.alive) await new Promise<never>(() => undefined);
  };
  return {
    makeFolder: (folder) => alive().then(() => disk.makeFolder(folder)),
    read: (file) => alive().then(() => disk.read(file)),
    rename: (from, to) => alive().then(() => disk.rename(from, to)),
    remove: (file) => alive().then(() => disk.remove(file)),
    syncFolder: (folder) => alive().then(() => disk.syncFolder(folder)),
    open: async (file, how) => {
      await alive();
      const handle = await disk.open(file, how);
      return {
        write: (bytes, position) => alive().then(() => handle.write(bytes, position)),
        truncate: (length) => alive().then(() => handle.truncate(length)),
        datasync: () => alive().then(() => handle.datasync()),
        sync: () => alive().then(() => handle.sync()),
        close: () => alive().then(() => handle.close()),
      };
    },
  };
}

/** One life of an agent: the real engine, and what a session does around it. */
export class SimulatedAgent {
  readonly process = new SimulatedProcess();
  readonly engine: KmodActionEngine;
  readonly log = new QuietLog();
  readonly #machine: SimulatedMachine;
  readonly #world: MachineWorld;
  readonly #clock: OffsetServerClock;
  readonly #gate: FreshTimeGate;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  #started = false;
  #welcomed = false;

  constructor(machine: SimulatedMachine, world: MachineWorld) {
    this.#machine = machine;
    this.#world = world;
    this.#clock = new OffsetServerClock(machine.bootClock);
    this.#gate = new FreshTimeGate(machine.bootClock, () => this.beat());
    this.engine = new KmodActionEngine({
      host: new MachineHost(machine, this.process, world),
      journal: machine.journal(this.process),
      clock: machine.bootClock,
      serverClock: this.#clock,
      log: this.log,
      sleep: (ms) =>
        new Promise((resolve) => {
          const wake = (): void => void this.process.point().then(resolve);
          this.#sleepers.push({ until: machine.bootClock.nowMs() + ms, wake });
        }),
    });
    this.engine.onResult((result) => this.#send({ kind: 'result', result }));
    this.engine.onProgress(({ actionId, phase }) => this.#send({ kind: 'progress', actionId, phase }));
  }

  start(): void {
    void this.engine.start().then(() => (this.#started = true));
  }

  /** It connects only then. */
  get started(): boolean {
    return this.#started;
  }

  /** The server accepted this host. */
  welcomed(serverTimeMs: number, helloAtMs: number): void {
    this.#welcomed = true;
    this.#clock.observe({ serverTimeMs, sentAtMs: helloAtMs, receivedAtMs: this.#machine.bootClock.nowMs() });
    for (const result of this.engine.unacknowledged()) this.#send({ kind: 'result', result });
  }

  disconnected(): void {
    this.#welcomed = false;
  }

  beat(): void {
    this.#send({ kind: 'beat', boottimeMs: this.#machine.bootClock.nowMs() });
  }

  async take(frame: ToAgent): Promise<void> {
    await this.process.point();
    switch (frame.kind) {
      case 'request':
        this.#gate.hold(() => this.engine.submit(frame.request));
        return;
      case 'cancel':
        return this.#gate.follow(() => this.engine.cancel(frame.actionId));
      case 'ack':
        return this.engine.acknowledge(frame.actionIds);
      case 'time': {
        const receivedAtMs = this.#machine.bootClock.nowMs();
        this.#clock.observe({ serverTimeMs: frame.serverTimeMs, sentAtMs: frame.boottimeMs, receivedAtMs });
        return this.#gate.answered(frame.boottimeMs);
      }
    }
  }

  /** Time has passed. */
  tick(): void {
    const now = this.#machine.bootClock.nowMs();
    const due = this.#sleepers.filter((one) => one.until <= now);
    this.#sleepers = this.#sleepers.filter((one) => one.until > now);
    for (const { wake } of due) wake();
  }

  #send(frame: ToServer): void {
    if (this.#welcomed && this.process.alive) this.#world.send(frame);
  }
}

/** The machine as its agent sees it. */
class MachineHost extends SimulatedHost {
  readonly #machine: SimulatedMachine;
  readonly #process: SimulatedProcess;
  readonly #world: MachineWorld;

  constructor(machine: SimulatedMachine, process: SimulatedProcess, world: MachineWorld) {
    super(machine.kernel);
    this.#machine = machine;
    this.#process = process;
    this.#world = world;
  }

  override async assess(request: ActionRequest, died: string | undefined) {
    await this.#process.point();
    const state = this.kernel.halfway.get(request.kmod);
    return state === undefined ? super.assess(request, died) : refusalVerdict('busy', `it is ${state}`);
  }

  override async execute(step: PlanStep, actionId: string): Promise<StepReport> {
    this.#world.onBegin(actionId, this.#machine.promisedJournal());
    await this.#process.point();
    const end = await this.#machine.run(step, actionId);
    await this.#process.point();
    return { result: { step, stderr: '', errno: '', durationMs: 1, verified: end.kind === 'done' }, end };
  }

  override async stepStillRuns(kmod = ''): Promise<boolean> {
    await this.#process.point();
    return this.#machine.runs(kmod);
  }
}
