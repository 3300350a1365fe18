import path from 'node:path';
import { codeOf } from '../error-words.ts';
import { lockState, type StateLock } from '../identity/state-lock.ts';
import type { RevertOwner } from './revert.ts';

/**
 * Who reverts: whoever has the lock of the window's folder. The kernel frees it when its process dies, so of two that begin in the same moment, or that
 * take over from a dead one, exactly one works. A lock that cannot be asked for stops nobody: a host that is put back twice is better than one that is not.
 */
export class LockedRevertOwner implements RevertOwner {
  readonly #folder: string;
  #lock: StateLock | undefined;

  constructor(stateDir: string) {
    this.#folder = path.join(stateDir, 'confirm');
  }

  async take(): Promise<boolean> {
    try {
      this.#lock = await lockState(this.#folder, 'modfleet-revert');
      return true;
    } catch (error) {
      return codeOf(error instanceof Error ? error.cause : undefined) !== 'EADDRINUSE';
    }
  }

  async drop(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
  }
}
