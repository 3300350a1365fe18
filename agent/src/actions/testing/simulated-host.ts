import { type ActionRequest, planDigest, type PlanStep, type Verdict, Verb } from '@modfleet/proto';
import type { ActionHost, ActionLog, Holding, KernelState } from '../action-host.ts';
import type { StepEnd, StepReport } from '../action.machine.ts';
import type { StepKind } from '../findings/facts.ts';
import { splitParameter } from '../findings/parameters.ts';
import { refusalVerdict } from '../findings/refusal.ts';
import type { HostRecord } from '../undo/host-record.ts';
import { anOkVerdict } from './builders.ts';

/** A machine's kernel, which outlives its agents. */
export class SimulatedKernel {
  readonly loaded = new Set<string>();
  readonly halfway = new Map<string, KernelState>();
  bootId = 'boot-1';
  taint = 0;
  /** Kmods that modfleet lists to load at boot. */
  readonly persisted = new Set<string>();
  /** Run-time parameters: `kmod.name` to value. */
  readonly parameters = new Map<string, string>();
  /** Every step that had its effect: `actionId kind kmod`. */
  readonly effects: string[] = [];

  apply({ kind, kmod, parameters }: PlanStep): void {
    if (kind === 'rmmod') this.loaded.delete(kmod);
    if (kind === 'modprobe') this.loaded.add(kmod);
    if (kind === 'persist') this.persisted.add(kmod);
    if (kind === 'unpersist') this.persisted.delete(kmod);
    if (kind !== 'set_parameters') return;
    for (const parameter of parameters) {
      const { name, value } = splitParameter(parameter);
      this.parameters.set(`${kmod}.${name}`, value);
    }
  }

  /** Whether what a step wants is so. */
  holds({ kind, kmod, parameters }: PlanStep): boolean {
    switch (kind) {
      case 'rmmod':
        return !this.loaded.has(kmod);
      case 'modprobe':
        return this.loaded.has(kmod);
      case 'set_parameters':
        return parameters
          .map(splitParameter)
          .every(({ name, value }) => this.parameters.get(`${kmod}.${name}`) === value);
      default:
        return this.persisted.has(kmod) === (kind === 'persist');
    }
  }
}

const STEP_OF: Readonly<Record<string, StepKind>> = {
  load: 'modprobe',
  unload: 'rmmod',
  set_parameters: 'set_parameters',
  persist: 'persist',
  unpersist: 'unpersist',
};

/** One agent's view of it. */
export class SimulatedHost implements ActionHost {
  readonly kernel: SimulatedKernel;
  /** Called as a step begins (before its effect); a promise that never resolves is an agent that was killed here. */
  beforeStep: (step: PlanStep, actionId: string) => void | Promise<void> = () => undefined;
  /** Called as a step has had its effect. */
  afterStep: (step: PlanStep, actionId: string) => void | Promise<void> = () => undefined;
  /** How steps end; `done` unless told otherwise. */
  ends: (step: PlanStep) => StepEnd = () => ({ kind: 'done' });
  survivors = 0;

  constructor(kernel: SimulatedKernel) {
    this.kernel = kernel;
  }

  async assess(request: ActionRequest, died: string | undefined): Promise<Verdict> {
    if (died !== undefined) return refusalVerdict('kernel_died', died);
    const plan = this.#wanted(request).filter((step) => !this.kernel.holds(step) || request.verb === Verb.VERB_RELOAD);
    const verdict = { ...anOkVerdict(), plan, decidedBy: plan.length === 0 ? 'unchanged' : 'ok' };
    return { ...verdict, digest: Buffer.from(planDigest(verdict)) };
  }

  #wanted({ verb, kmod, parameters, undo }: ActionRequest): PlanStep[] {
    const step = (kind: StepKind, name = kmod, given: string[] = []): PlanStep => ({
      kind,
      kmod: name,
      parameters: given,
      because: 'asked for',
    });
    switch (verb) {
      case Verb.VERB_LOAD:
        return [step('modprobe')];
      case Verb.VERB_UNLOAD:
        return [step('rmmod')];
      case Verb.VERB_ENSURE_LOADED:
        return [step('modprobe'), step('persist')];
      case Verb.VERB_ENSURE_UNLOADED:
        return [step('rmmod'), step('unpersist')];
      case Verb.VERB_SET_PARAMETERS:
        return [step('set_parameters', kmod, parameters)];
      case Verb.VERB_RESTORE:
        return undo.map((one) => step(STEP_OF[one.kind] ?? 'persist', one.kmod, one.parameters));
      default:
        return this.kernel.loaded.has(kmod) ? [step('rmmod'), step('modprobe')] : [step('modprobe')];
    }
  }

  async bootId(): Promise<string> {
    return this.kernel.bootId;
  }

  async taint(): Promise<number> {
    return this.kernel.taint;
  }

  async stateOf(kmod: string): Promise<KernelState> {
    return this.kernel.halfway.get(kmod) ?? (this.kernel.loaded.has(kmod) ? 'live' : 'absent');
  }

  async execute(step: PlanStep, actionId: string): Promise<StepReport> {
    await this.beforeStep(step, actionId);
    const end = this.ends(step);
    if (end.kind === 'done') {
      this.kernel.effects.push(`${actionId} ${step.kind} ${step.kmod}`);
      this.kernel.apply(step);
    }
    if (end.kind === 'stuck') this.kernel.halfway.set(step.kmod, step.kind === 'rmmod' ? 'unloading' : 'loading');
    await this.afterStep(step, actionId);
    return { result: { step, stderr: '', errno: '', durationMs: 1, verified: end.kind === 'done' }, end };
  }

  async stepStillRuns(): Promise<boolean> {
    return this.survivors-- > 0;
  }

  async hasParameters(): Promise<boolean> {
    return true;
  }

  async touchedBy(plan: readonly PlanStep[]): Promise<readonly string[]> {
    return [...new Set(plan.map((step) => step.kmod))];
  }

  async record(kmods: readonly string[]): Promise<HostRecord> {
    const { kernel } = this;
    const records = kmods.map((name) => ({
      name,
      loaded: kernel.loaded.has(name),
      parameters: [...kernel.parameters]
        .filter(([key]) => key.startsWith(`${name}.`))
        .map(([key, value]): [string, string] => [key.slice(name.length + 1), value]),
      writable: [...kernel.parameters.keys()].map((key) => key.slice(name.length + 1)),
      persisted: kernel.persisted.has(name),
    }));
    const health = { bootId: kernel.bootId, taint: kernel.taint, links: [], mounts: [] };
    return { bootId: kernel.bootId, kmods: records, health };
  }

  async holds(step: PlanStep): Promise<Holding> {
    if (this.kernel.halfway.has(step.kmod)) return 'halfway';
    return this.kernel.holds(step) ? 'yes' : 'no';
  }

  async kernelLog(): Promise<readonly string[]> {
    return [];
  }

  async reloadPaths(): Promise<readonly []> {
    return [];
  }
}

/** Keeps what was logged as a warning or worse. */
export class QuietLog implements ActionLog {
  readonly lines: string[] = [];

  info(): void {}

  warn(_fields: object, message: string): void {
    this.lines.push(message);
  }

  error(_fields: object, message: string): void {
    this.lines.push(message);
  }
}

/** Boot and server time in one hand. */
export class SimulatedClock {
  ms = 1_000;
  known = true;

  readonly boot = { nowMs: (): number => this.ms };
  readonly server = {
    now: (): { ms: number; errorMs: number } | undefined => (this.known ? { ms: this.ms, errorMs: 5 } : undefined),
  };
}
