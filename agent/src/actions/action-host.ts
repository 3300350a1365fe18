import type { ActionRequest, PlanStep, ReloadPath, Verdict } from '@modfleet/proto';
import type { StepReport } from './action.machine.ts';
import type { HostRecord } from './undo/host-record.ts';

/** Where a kmod stands in the kernel; `unknown` when /proc/modules cannot be read. */
export type KernelState = 'absent' | 'live' | 'loading' | 'unloading' | 'unknown';

/** Whether what a step wants is so now; `halfway`: a routine of the kmod has not returned. */
export type Holding = 'yes' | 'no' | 'halfway' | 'unknown';

/** The host as the engine sees it: everything that reads or changes it. Real in `host/`-and-`exec/` form, simulated in tests. */
export interface ActionHost {
  /** Finds, decides, plans; touches nothing. `died` says why nothing may be done in this boot. */
  assess(request: ActionRequest, died: string | undefined): Promise<Verdict>;
  /** /proc/sys/kernel/random/boot_id; empty where it cannot be read. */
  bootId(): Promise<string>;
  /** /proc/sys/kernel/tainted. */
  taint(): Promise<number | undefined>;
  stateOf(kmod: string): Promise<KernelState>;
  /** Runs one step to its end, or to its deadline. Never throws: what cannot be run is `rejected`. */
  execute(step: PlanStep, actionId: string): Promise<StepReport>;
  /** Whether a program that a step started for this kmod is still alive. */
  stepStillRuns(kmod: string): Promise<boolean>;
  /** Whether the loaded kmod has these parameters; undefined when that cannot be seen. */
  hasParameters(kmod: string, parameters: readonly string[]): Promise<boolean | undefined>;
  /** Kmods that this plan may load, unload or change, also those that modprobe tries along. */
  touchedBy(plan: readonly PlanStep[]): Promise<readonly string[]>;
  /** How the host stands, as far as an undo of these kmods asks. */
  record(kmods: readonly string[]): Promise<HostRecord>;
  /** Whether what the step wants is so now. */
  holds(step: PlanStep): Promise<Holding>;
  /** Kernel log lines that name the kmod, since this boot time in ms; empty where the log may not be read. */
  kernelLog(kmod: string, sinceBootMs: number): Promise<readonly string[]>;
  /** What can bring an unloaded kmod back. */
  reloadPaths(kmod: string): Promise<readonly ReloadPath[]>;
}

/** What the engine says to whoever runs the machine; the agent's logger fits. */
export interface ActionLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
