import { type ActionRequest, type PlanStep, type Verdict, Verb } from '@modfleet/proto';
import type { ActionHost, ActionLog, KernelState } from '../action-host.ts';
import type { StepEnd, StepReport } from '../action.machine.ts';
import { refusalVerdict } from '../findings/refusal.ts';
import { anOkVerdict } from './builders.ts';

/** A machine's kernel, which outlives its agents. */
export class SimulatedKernel {
  readonly loaded = new Set<string>();
  readonly halfway = new Map<string, KernelState>();
  bootId = 'boot-1';
  taint = 0;
  /** Every step that had its effect: `actionId kind kmod`. */
  readonly effects: string[] = [];
}

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

  async assess({ verb, kmod }: ActionRequest, died: string | undefined): Promise<Verdict> {
    if (died !== undefined) return refusalVerdict('kernel_died', died);
    const present = this.kernel.loaded.has(kmod);
    switch (verb) {
      case Verb.VERB_LOAD:
        return present ? { ...anOkVerdict(), decidedBy: 'unchanged' } : anOkVerdict(['modprobe', kmod]);
      case Verb.VERB_UNLOAD:
        return present ? anOkVerdict(['rmmod', kmod]) : { ...anOkVerdict(), decidedBy: 'unchanged' };
      default:
        return present ? anOkVerdict(['rmmod', kmod], ['modprobe', kmod]) : anOkVerdict(['modprobe', kmod]);
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
      if (step.kind === 'rmmod') this.kernel.loaded.delete(step.kmod);
      else this.kernel.loaded.add(step.kmod);
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
