import type { PlanStep, StepResult } from '@modfleet/proto';
import type { Exec, ExecResult } from '../../exec/exec.ts';
import { asProperties, UNLOAD_RIGHTS } from '../../exec/unit-rights.ts';
import type { KernelState } from '../action-host.ts';
import type { HostFiles } from '../../host/host-files.ts';
import type { HostWrites } from '../../host/host-writes.ts';
import type { StepEnd, StepReport } from '../action.machine.ts';
import type { StepKind } from '../findings/facts.ts';
import { errnoOf } from './errno-words.ts';
import { runWriteStep, WRITE_DEADLINE_MS, type WriteStepKind } from './write-steps.ts';

/** An exit routine returns in milliseconds; emulated and loaded machines take seconds. Past this it is called stuck. */
const UNLOAD_DEADLINE_MS = 20_000;

/** An init routine may wait for firmware: 60 s by the kernel's own limit (drivers/base/firmware_loader). */
const LOAD_DEADLINE_MS = 65_000;

/** How long each kind of step may take. */
export const STEP_DEADLINE_MS: Readonly<Record<StepKind, number>> = {
  rmmod: UNLOAD_DEADLINE_MS,
  modprobe: LOAD_DEADLINE_MS,
  set_parameters: WRITE_DEADLINE_MS,
  persist: WRITE_DEADLINE_MS,
  unpersist: WRITE_DEADLINE_MS,
};

/** What systemd waits for a stuck unload when the host stops: four times this (kernel-facts 7). */
const STOP_TIMEOUT = '3s';

const MAX_STDERR = 4_096;

/** Bit 7 of the taint: the kernel has died (oops or BUG). */
const TAINT_DIE = 128;

/** What a step needs of the host. */
export interface StepHost {
  readonly exec: Exec;
  readonly files: HostFiles;
  readonly writes: HostWrites;
  /** systemd is there and takes transient units. */
  readonly systemd: boolean;
  stateOf(kmod: string): Promise<KernelState>;
  taint(): Promise<number | undefined>;
}

/** Steps that start a program; the others are in write-steps.ts. A kind without an executor does not compile. */
type ProgramStepKind = Exclude<StepKind, WriteStepKind>;

interface Executor {
  /** The state that the step is to reach, and the one that it leads through. */
  readonly wanted: KernelState;
  readonly through: KernelState;
  run(host: StepHost, step: PlanStep, actionId: string): Promise<ExecResult>;
}

/**
 * INVARIANTS
 * - Only `rmmod NAME` and `modprobe NAME key=value…`: no force, no -r, no -a, nothing that starts with a dash but `--`.
 * - Success is what /proc/modules says afterwards, never an exit code (modprobe says 0 for "not loaded", and 1 for "gone").
 */
const EXECUTORS = {
  rmmod: { wanted: 'absent', through: 'unloading', run: runRmmod },
  modprobe: {
    wanted: 'live',
    through: 'loading',
    run: (host, step) =>
      host.exec.run('modprobe', ['--', step.kmod, ...step.parameters], { timeoutMs: LOAD_DEADLINE_MS }),
  },
} as const satisfies Record<ProgramStepKind, Executor>;

/** Runs one step to its end or its deadline. */
export async function runStep(host: StepHost, step: PlanStep, actionId: string): Promise<StepReport> {
  if (isWriteStep(step)) return judgedByTaint(host, step);
  const executor = isProgramStep(step.kind) ? EXECUTORS[step.kind] : undefined;
  if (executor === undefined)
    return {
      result: resultOf(step),
      end: { kind: 'rejected', message: `a step of kind ${step.kind} is not known here` },
    };
  const before = await host.taint();
  const ran = await executor.run(host, step, actionId);
  const state = await host.stateOf(step.kmod);
  const after = await host.taint();
  const end = judge(step, executor, ran, state, isNewDeath(before, after));
  return {
    end,
    result: {
      ...resultOf(step),
      ...(ran.ended.kind === 'exited' ? { exitCode: ran.ended.code } : {}),
      stderr: stderrOf(ran),
      errno: errnoOf(ran.stderr),
      durationMs: Math.round(ran.durationMs),
      verified: state === executor.wanted,
    },
  };
}

/** A value that a driver was given can kill the kernel as well as its init routine. */
async function judgedByTaint(host: StepHost, step: PlanStep & { readonly kind: WriteStepKind }): Promise<StepReport> {
  const before = await host.taint();
  const report = await runWriteStep(host, step);
  if (!isNewDeath(before, await host.taint())) return report;
  const message = `the kernel oopsed while ${step.kind} of ${step.kmod} ran; reboot this host`;
  return { ...report, end: { kind: 'kernel_died', message } };
}

/** How a step ended. Pure. */
export function judge(
  step: PlanStep,
  { wanted, through }: Pick<Executor, 'wanted' | 'through'>,
  ran: ExecResult,
  state: KernelState,
  died: boolean,
): StepEnd {
  const { kmod } = step;
  if (died) return { kind: 'kernel_died', message: `the kernel oopsed while ${kmod} was ${through}; reboot this host` };
  if (state === wanted) return { kind: 'done' };
  if (state === 'unknown')
    return { kind: 'not_verified', message: '/proc/modules cannot be read: what became of it is not known' };
  if (ran.ended.kind === 'timed_out') {
    if (state === through) {
      const routine = through === 'unloading' ? 'exit' : 'init';
      return {
        kind: 'stuck',
        message: `${kmod} is still ${through}: its ${routine} routine does not return; only a reboot ends this`,
      };
    }
    if (!ran.ended.reaped)
      return {
        kind: 'stuck',
        message: `${step.kind} ${kmod} did not end in ${Math.round(ran.durationMs / 1000)} s and may still be at it; if it never ends, only a reboot helps`,
      };
    return {
      kind: 'rejected',
      message: `${step.kind} ${kmod} did not end in ${Math.round(ran.durationMs / 1000)} s and was killed; ${kmod} is ${words(state)}`,
    };
  }
  const said = firstLine(stderrOf(ran));
  if (ran.ended.kind === 'exited' && ran.ended.code === 0) {
    return {
      kind: 'not_verified',
      message: `${step.kind} says it is done, but ${kmod} is ${words(state)}${said === '' ? '' : `: ${said}`}`,
    };
  }
  return {
    kind: 'rejected',
    message: `the kernel did not ${wanted === 'absent' ? 'unload' : 'load'} ${kmod}: ${said === '' ? `${step.kind} gave no reason` : said}`,
  };
}

/**
 * Through a transient unit where there is systemd: a stuck rmmod then delays neither the agent's restart nor, for long, the host's reboot. If
 * systemd does not take the unit, nothing has run, and rmmod is started as a child.
 */
async function runRmmod(host: StepHost, step: PlanStep, actionId: string): Promise<ExecResult> {
  const rmmod = host.exec.find('rmmod');
  if (host.systemd && rmmod !== undefined && host.exec.find('systemd-run') !== undefined) {
    const unit = `modfleet-${actionId.slice(0, 8)}-${step.kmod}`;
    const properties = asProperties([`TimeoutStopSec=${STOP_TIMEOUT}`, 'Type=exec', ...UNLOAD_RIGHTS]);
    const ran = await host.exec.run(
      'systemd-run',
      [
        '--quiet',
        '--wait',
        '--collect',
        '--pipe',
        `--unit=${unit}`,
        `--description=unload ${step.kmod}`,
        ...properties,
        '--',
        rmmod,
        step.kmod,
      ],
      { timeoutMs: UNLOAD_DEADLINE_MS },
    );
    // At the time limit systemd-run was killed, and what it had systemd start was not.
    if (ran.ended.kind === 'timed_out') return { ...ran, ended: { kind: 'timed_out', reaped: false } };
    if (!/^(Failed to|System has not been booted|Unknown assignment)/m.test(ran.stderr)) return ran;
  }
  return host.exec.run('rmmod', [step.kmod], { timeoutMs: UNLOAD_DEADLINE_MS });
}

function isProgramStep(kind: string): kind is ProgramStepKind {
  return Object.hasOwn(EXECUTORS, kind);
}

function isWriteStep(step: PlanStep): step is PlanStep & { readonly kind: WriteStepKind } {
  return Object.hasOwn(STEP_DEADLINE_MS, step.kind) && !isProgramStep(step.kind);
}

function isNewDeath(before: number | undefined, after: number | undefined): boolean {
  return after !== undefined && (after & TAINT_DIE) !== 0 && ((before ?? 0) & TAINT_DIE) === 0;
}

function resultOf(step: PlanStep): StepResult {
  return { step, stderr: '', errno: '', durationMs: 0, verified: false };
}

function stderrOf(ran: ExecResult): string {
  const text = ran.stderr.slice(0, MAX_STDERR).trim();
  switch (ran.ended.kind) {
    case 'not_started':
      return ran.ended.reason;
    case 'signalled':
      return `${text}${text === '' ? '' : '\n'}killed by ${ran.ended.signal}`;
    case 'exited':
    case 'timed_out':
      return text;
  }
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}

function words(state: KernelState): string {
  return state === 'live' ? 'loaded' : state === 'absent' ? 'not loaded' : state;
}
