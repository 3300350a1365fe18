import type { Exec, ExecResult } from '../exec/exec.ts';
import { ownProgram, startDetached } from '../exec/own-program.ts';
import { asProperties, REVERT_RESTARTS, REVERT_RIGHTS } from '../exec/unit-rights.ts';
import type { HostFiles } from '../host/host-files.ts';
import { assertNever, type ConfirmCause } from '@modfleet/proto';

/** systemd answers in milliseconds; emulated and loaded hosts take seconds. */
const SYSTEMD_LIMIT_MS = 20_000;

/** Of systemctl(1): the unit is not loaded. */
const NO_SUCH_UNIT = 5;

/** What Node.js compiled for the helper (its unit's CacheDirectory): most of a start's time on a slow host. Not there, it is done without. */
const COMPILE_CACHE = '--setenv=NODE_COMPILE_CACHE=/var/cache/modfleet-helper';

/** Starts reverts in processes of their own: at a deadline, or now. */
export interface RevertTimer {
  /** Why nothing outside this process could revert here; undefined when something can. */
  obstacle(): Promise<string | undefined>;
  /** Armed when this resolves with undefined; else why not. */
  arm(actionId: string, seconds: number): Promise<string | undefined>;
  /** Undefined: it will not fire. Else why that is not known. */
  disarm(actionId: string): Promise<string | undefined>;
  /** Begins a revert now. What it does, the window on disk says. */
  begin(actionId: string, cause: ConfirmCause): Promise<void>;
}

/**
 * With systemd a transient timer and unit: they live and end apart from the agent's own unit. Without, a detached process: it survives the agent,
 * not the machine; after a reboot the agent itself looks at what was open (and, with systemd, modfleet-revert.service before it).
 */
export class HostRevertTimer implements RevertTimer {
  readonly #files: HostFiles;
  readonly #exec: Exec;
  readonly #stateDir: string;
  #begun = 0;

  constructor(files: HostFiles, exec: Exec, stateDir: string) {
    this.#files = files;
    this.#exec = exec;
    this.#stateDir = stateDir;
  }

  async obstacle(): Promise<string | undefined> {
    if (!(await this.#hasSystemd())) return undefined;
    return this.#exec.find('systemd-run') === undefined
      ? 'systemd-run is not installed, so no timer outside the agent can be armed'
      : undefined;
  }

  async arm(actionId: string, seconds: number): Promise<string | undefined> {
    if (!(await this.#hasSystemd())) {
      const pid = startDetached(this.#revertArguments(actionId, '--by', 'timer'));
      return pid === undefined ? 'the watchdog could not be started' : undefined;
    }
    const ran = await this.#exec.run(
      'systemd-run',
      [
        '--quiet',
        '--collect',
        `--unit=${unitOf(actionId)}`,
        COMPILE_CACHE,
        '--description=modfleet: end of a confirm window',
        `--on-active=${seconds}s`,
        '--timer-property=AccuracySec=100ms',
        ...asProperties(REVERT_RESTARTS),
        ...asProperties(REVERT_RIGHTS),
        '--',
        ...ownProgram(),
        ...this.#revertArguments(actionId, '--by', 'timer'),
      ],
      { timeoutMs: SYSTEMD_LIMIT_MS },
    );
    const why = whyFailed(ran);
    return why === undefined ? undefined : `systemd did not take the timer: ${why}`;
  }

  /** A timer that stays does no harm: what it starts finds no window of its action, and ends. So does the watchdog. */
  async disarm(actionId: string): Promise<string | undefined> {
    if (!(await this.#hasSystemd())) return undefined;
    const unit = `${unitOf(actionId)}.timer`;
    const ran = await this.#exec.run('systemctl', ['stop', unit], { timeoutMs: SYSTEMD_LIMIT_MS });
    return ran.ended.kind === 'exited' && ran.ended.code === NO_SUCH_UNIT ? undefined : whyFailed(ran);
  }

  async begin(actionId: string, cause: ConfirmCause): Promise<void> {
    const args = this.#revertArguments(actionId, '--by', 'agent', '--cause', cause);
    if (await this.#hasSystemd()) {
      this.#begun += 1;
      const ran = await this.#exec.run(
        'systemd-run',
        [
          '--quiet',
          '--collect',
          // One that was begun before may be at work, or about to be started again: it keeps its name.
          `--unit=${unitOf(actionId)}-now-${process.pid}-${this.#begun}`,
          COMPILE_CACHE,
          '--description=modfleet: a confirm window is given up',
          ...asProperties(REVERT_RESTARTS),
          ...asProperties(REVERT_RIGHTS),
          '--',
          ...ownProgram(),
          ...args,
        ],
        { timeoutMs: SYSTEMD_LIMIT_MS },
      );
      if (whyFailed(ran) === undefined) return;
      // In the helper's own sandbox, which lets nobody ask whether the server is reached.
      args.push('--no-reboot');
    }
    startDetached(args);
  }

  #revertArguments(actionId: string, ...more: readonly string[]): string[] {
    return ['revert', '--state-dir', this.#stateDir, '--action', actionId, ...more];
  }

  async #hasSystemd(): Promise<boolean> {
    return (await this.#files.stat('/run/systemd/system')).kind === 'ok';
  }
}

/** Undefined: it did what it was asked. */
function whyFailed({ ended, stderr }: ExecResult): string | undefined {
  switch (ended.kind) {
    case 'exited':
      return ended.code === 0 ? undefined : (stderr.trim().split('\n')[0] ?? `exit code ${ended.code}`);
    case 'signalled':
      return `it was killed by ${ended.signal}`;
    case 'timed_out':
      return `no answer within ${SYSTEMD_LIMIT_MS / 1000} s`;
    case 'not_started':
      return ended.reason;
    default:
      return assertNever(ended);
  }
}

function unitOf(actionId: string): string {
  return `modfleet-revert-${actionId.slice(0, 8)}`;
}
