import type { Exec } from '../exec/exec.ts';
import { ownProgram, startDetached } from '../exec/own-program.ts';
import { asProperties, REVERT_RIGHTS } from '../exec/unit-rights.ts';
import type { HostFiles } from '../host/host-files.ts';
import type { ConfirmCause } from '@modfleet/proto';

/** systemd answers in milliseconds; emulated and loaded hosts take seconds. */
const SYSTEMD_LIMIT_MS = 20_000;

/** What Node.js compiled for the helper (its unit's CacheDirectory): most of a start's time on a slow host. Not there, it is done without. */
const COMPILE_CACHE = '--setenv=NODE_COMPILE_CACHE=/var/cache/modfleet-helper';

/** Starts reverts in processes of their own: at a deadline, or now. */
export interface RevertTimer {
  /** Why nothing outside this process could revert here; undefined when something can. */
  obstacle(): Promise<string | undefined>;
  /** Armed when this resolves with undefined; else why not. */
  arm(actionId: string, seconds: number): Promise<string | undefined>;
  disarm(actionId: string): Promise<void>;
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
      const pid = startDetached(this.#revertArguments('--wait'));
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
        ...asProperties(REVERT_RIGHTS),
        '--',
        ...ownProgram(),
        ...this.#revertArguments('--by', 'timer'),
      ],
      { timeoutMs: SYSTEMD_LIMIT_MS },
    );
    if (ran.ended.kind === 'exited' && ran.ended.code === 0) return undefined;
    const why = ran.ended.kind === 'not_started' ? ran.ended.reason : ran.stderr.trim().split('\n')[0];
    return `systemd did not take the timer: ${why}`;
  }

  /** A timer that stays does no harm: what it starts finds no window and ends. */
  async disarm(actionId: string): Promise<void> {
    if (!(await this.#hasSystemd())) return;
    await this.#exec.run('systemctl', ['stop', `${unitOf(actionId)}.timer`], { timeoutMs: SYSTEMD_LIMIT_MS });
  }

  async begin(actionId: string, cause: ConfirmCause): Promise<void> {
    const args = this.#revertArguments('--by', 'agent', '--cause', cause);
    if (await this.#hasSystemd()) {
      const ran = await this.#exec.run(
        'systemd-run',
        [
          '--quiet',
          '--collect',
          `--unit=${unitOf(actionId)}-now`,
          COMPILE_CACHE,
          '--description=modfleet: a confirm window is given up',
          ...asProperties(REVERT_RIGHTS),
          '--',
          ...ownProgram(),
          ...args,
        ],
        { timeoutMs: SYSTEMD_LIMIT_MS },
      );
      if (ran.ended.kind === 'exited' && ran.ended.code === 0) return;
    }
    startDetached(args);
  }

  #revertArguments(...more: readonly string[]): string[] {
    return ['revert', '--state-dir', this.#stateDir, ...more];
  }

  async #hasSystemd(): Promise<boolean> {
    return (await this.#files.stat('/run/systemd/system')).kind === 'ok';
  }
}

function unitOf(actionId: string): string {
  return `modfleet-revert-${actionId.slice(0, 8)}`;
}
