import path from 'node:path';
import type { ActionLog } from '../actions/action-host.ts';
import type { Exec } from '../exec/exec.ts';
import { type FileLock, lockFile } from '../exec/file-lock.ts';
import type { AtWork } from './confirm.machine.ts';
import type { RevertOwner } from './revert.ts';

/** Beside the window's folder: what lies in that one means that a window is open. */
const FILE = 'revert.lock';

/**
 * Who reverts: whoever has the lock in the state folder, which is its owner's alone. The kernel frees it when its process dies, so of two that begin
 * in the same moment, or that take over from a dead one, exactly one works. A lock that cannot be asked for stops nobody: a host that is put back
 * twice is better than one that is not.
 */
export class LockedRevertOwner implements RevertOwner {
  readonly #exec: Exec;
  readonly #file: string;
  readonly #log: ActionLog;
  #lock: FileLock | undefined;

  constructor(exec: Exec, stateDir: string, log: ActionLog) {
    this.#exec = exec;
    this.#file = path.join(stateDir, FILE);
    this.#log = log;
  }

  async take(): Promise<boolean> {
    const answer = await lockFile(this.#exec, this.#file);
    if (answer.kind === 'taken') return false;
    if (answer.kind === 'held') this.#lock = answer.lock;
    else this.#log.warn({ reason: answer.reason }, 'reverting without the lock that keeps others from it');
    return true;
  }

  async drop(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
  }

  /** Whether another process has it; one that begins in this very moment waits and looks again. */
  async atWork(): Promise<AtWork> {
    const answer = await lockFile(this.#exec, this.#file);
    if (answer.kind === 'taken') return 'somebody';
    if (answer.kind === 'impossible') return 'not_known';
    await answer.lock.release();
    return 'nobody';
  }
}
