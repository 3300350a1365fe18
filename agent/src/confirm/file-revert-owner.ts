import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeFileAtomically } from '../identity/atomic-file.ts';
import type { HostFiles } from '../host/host-files.ts';
import { isAlive, markOf } from './process-mark.ts';
import type { RevertOwner } from './revert.ts';

/**
 * Who reverts, as a file beside the window. Two that take over from a dead one in the same moment may both work: reverting twice does no harm,
 * and what matters (kept or reverted) was decided before by one rename.
 */
export class FileRevertOwner implements RevertOwner {
  readonly #file: string;
  readonly #files: HostFiles;

  constructor(stateDir: string, files: HostFiles) {
    this.#file = path.join(stateDir, 'confirm', 'owner.json');
    this.#files = files;
  }

  async take(): Promise<boolean> {
    const other = await this.#read();
    if (other !== undefined && other.pid !== process.pid && (await isAlive(this.#files, other))) return false;
    const own = await markOf(this.#files, process.pid);
    if (own !== undefined) await writeFileAtomically(this.#file, JSON.stringify(own));
    return true;
  }

  async drop(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  async #read(): Promise<{ pid: number; startTicks: string } | undefined> {
    try {
      const { pid, startTicks } = JSON.parse(await readFile(this.#file, 'utf8')) as Record<string, unknown>;
      return typeof pid === 'number' && typeof startTicks === 'string' ? { pid, startTicks } : undefined;
    } catch {
      return undefined;
    }
  }
}
