import { setTimeout as delay } from 'node:timers/promises';
import type { Exec, ExecResult, ExecStream, ProgramName } from '../../../agent/src/exec/exec.ts';
import { shapeOf, undeclaredVector } from '../../../agent/src/exec/vectors.ts';
import type { Effect, SimulatedKernel } from './simulated-kernel.ts';

/** Programs that a simulated host has. */
const PROGRAMS: ReadonlySet<ProgramName> = new Set(['modprobe', 'rmmod', 'udevadm', 'dmesg']);

/** The agent's second door, to a simulated kernel: kmod's programs and the kernel's uevents, nothing else. */
export class KernelExec implements Exec {
  readonly #kernel: SimulatedKernel;
  /** How long a routine takes, ms. */
  readonly #stepMs: () => number;
  readonly #hangMs: number;

  /** @param hangMs how long a routine that hangs is waited for at most, where that is less than what the agent would wait. */
  constructor(kernel: SimulatedKernel, stepMs: () => number, hangMs = Infinity) {
    this.#kernel = kernel;
    this.#stepMs = stepMs;
    this.#hangMs = hangMs;
  }

  find(program: ProgramName): string | undefined {
    return PROGRAMS.has(program) ? `/usr/sbin/${program}` : undefined;
  }

  async run(
    program: ProgramName,
    args: readonly string[],
    options: { readonly timeoutMs: number },
  ): Promise<ExecResult> {
    if (shapeOf(program, args) === undefined) return notStarted(undeclaredVector(program, args));
    switch (program) {
      case 'modprobe':
        return this.#change((kernel) => kernel.load(args[1] ?? '', args.slice(2)), options.timeoutMs);
      case 'rmmod':
        return this.#change((kernel) => kernel.unload(args[0] ?? ''), options.timeoutMs);
      case 'dmesg':
        return ended(0, '', 0);
      default:
        return notStarted(`${program} is not installed`);
    }
  }

  stream(program: ProgramName): ExecStream {
    return program === 'udevadm' ? new UeventLines(this.#kernel) : new NoStream(program);
  }

  async #change(change: (kernel: SimulatedKernel) => Effect, timeoutMs: number): Promise<ExecResult> {
    const takesMs = this.#stepMs();
    await delay(takesMs);
    const effect = change(this.#kernel);
    switch (effect.kind) {
      case 'done':
        return ended(0, '', takesMs);
      case 'refused':
        return ended(1, effect.stderr, takesMs);
      case 'hangs':
        await delay(Math.min(timeoutMs, this.#hangMs));
        // A process inside the kernel does not die.
        return { ended: { kind: 'timed_out', reaped: false }, stdout: '', stderr: '', durationMs: timeoutMs };
    }
  }
}

function ended(code: number, stderr: string, durationMs: number): ExecResult {
  return { ended: { kind: 'exited', code }, stdout: '', stderr, durationMs };
}

function notStarted(reason: string): ExecResult {
  return { ended: { kind: 'not_started', reason }, stdout: '', stderr: '', durationMs: 0 };
}

/** `udevadm monitor --kernel --property --subsystem-match=module`, as it writes. */
class UeventLines implements ExecStream {
  #listeners: ((line: string) => void)[] = [];
  #stopped = false;

  constructor(kernel: SimulatedKernel) {
    kernel.onUevent((action, kmod) => {
      if (this.#stopped) return;
      this.#write(`KERNEL[${(performance.now() / 1000).toFixed(6)}] ${action.padEnd(8)} /module/${kmod} (module)`, '');
    });
    setImmediate(() => {
      this.#write('monitor will print the received events for:', 'KERNEL - the kernel uevent', '');
    });
  }

  onLine(listener: (line: string) => void): void {
    this.#listeners.push(listener);
  }
  onEnd(): void {}
  say(): void {}
  close(): void {}
  stop(): void {
    this.#stopped = true;
    this.#listeners = [];
  }

  #write(...lines: readonly string[]): void {
    for (const line of lines) for (const listener of this.#listeners) listener(line);
  }
}

/** A program that is not there. */
class NoStream implements ExecStream {
  readonly #program: ProgramName;
  constructor(program: ProgramName) {
    this.#program = program;
  }
  onLine(): void {}
  onEnd(listener: (why: string) => void): void {
    setImmediate(() => listener(`${this.#program} is not installed`));
  }
  say(): void {}
  close(): void {}
  stop(): void {}
}
