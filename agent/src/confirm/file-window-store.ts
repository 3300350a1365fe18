import { type Stats, statSync } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type * as z from 'zod';
import { codeOf, messageOf } from '../error-words.ts';
import { makePrivateFolder, writeFileAtomically } from '../identity/atomic-file.ts';
import { type RevertReport, revertReportSchema, type WindowPlan, windowPlanSchema } from './window-plan.ts';
import type { WindowOnDisk, WindowStore } from './window-store.ts';

/** One file a state; at most one of the first three is there. */
const FILES = {
  pending: 'pending.json',
  kept: 'kept.json',
  reverting: 'reverting.json',
  reverted: 'reverted.json',
} as const;

/** What was read of a file, and the file that it was read of. */
interface Seen {
  readonly stats: Stats;
  readonly value: unknown;
}

/** What a file says; a file that cannot be understood says `DAMAGED`. */
const DAMAGED = Symbol('damaged');

/** Of one name; more mean that nobody looks. */
const MOST_SET_ASIDE = 99;

/**
 * The window below the engine's state folder, in `confirm/`.
 *
 * It is looked at four times a second until it ends, and a plan is long. So a file is read when it is there, and again when it is another one: each
 * is written once, aside, and put in its place whole.
 */
export class FileWindowStore implements WindowStore {
  readonly #folder: string;
  readonly #seen = new Map<string, Seen>();

  constructor(stateDir: string) {
    this.#folder = path.join(stateDir, 'confirm');
  }

  async look(): Promise<WindowOnDisk> {
    try {
      // In the order in which a window moves, and the decided states last: a rename between two reads is seen as its end.
      const pending = await this.#read(FILES.pending, windowPlanSchema);
      const kept = await this.#read(FILES.kept, windowPlanSchema);
      const reverting = await this.#read(FILES.reverting, windowPlanSchema);
      const reverted = await this.#read(FILES.reverted, revertReportSchema);
      if (reverted !== undefined && reverted !== DAMAGED) {
        return { kind: 'reverted', plan: reverting === DAMAGED ? undefined : reverting, report: reverted };
      }
      if (reverting === DAMAGED) return this.#damaged(FILES.reverting);
      // A report that cannot be understood is none: the revert is had again.
      if (reverting !== undefined) return { kind: 'reverting', plan: reverting };
      if (reverted === DAMAGED) return this.#damaged(FILES.reverted);
      if (kept === DAMAGED) return this.#damaged(FILES.kept);
      if (kept !== undefined) return { kind: 'kept', plan: kept };
      if (pending === DAMAGED) return this.#damaged(FILES.pending);
      return pending === undefined ? { kind: 'none' } : { kind: 'pending', plan: pending };
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) };
    }
  }

  async put(plan: WindowPlan): Promise<boolean> {
    await makePrivateFolder(this.#folder);
    const open = await this.look();
    if (open.kind === 'unreadable') throw new Error(open.reason);
    if (open.kind !== 'none') return false;
    const draft = this.#path('draft.json');
    await writeFileAtomically(draft, JSON.stringify(plan));
    try {
      // Unlike a rename, a link never takes the place of what another process has put there meanwhile.
      await link(draft, this.#path(FILES.pending));
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(draft, { force: true });
    }
    await this.#sync();
    return true;
  }

  keep(): Promise<boolean> {
    return this.#move(FILES.pending, FILES.kept);
  }

  claim(): Promise<boolean> {
    return this.#move(FILES.pending, FILES.reverting);
  }

  async report(report: RevertReport): Promise<void> {
    await writeFileAtomically(this.#path(FILES.reverted), JSON.stringify(report));
  }

  async reopen(): Promise<boolean> {
    const open = await this.look();
    if (open.kind !== 'reverted' || open.plan === undefined) return false;
    await rm(this.#path(FILES.reverted), { force: true });
    await this.#sync();
    return true;
  }

  /** The report goes last: while it is there, nothing else is asked. */
  async clear(): Promise<void> {
    this.#seen.clear();
    for (const name of [FILES.pending, FILES.kept, FILES.reverting, FILES.reverted]) {
      await rm(this.#path(name), { force: true });
    }
    await this.#sync().catch(() => undefined);
  }

  async setAside(): Promise<readonly string[]> {
    this.#seen.clear();
    const aside: string[] = [];
    for (const [name, schema] of [
      [FILES.pending, windowPlanSchema],
      [FILES.kept, windowPlanSchema],
      [FILES.reverting, windowPlanSchema],
      [FILES.reverted, revertReportSchema],
    ] as const) {
      if ((await this.#read<unknown>(name, schema)) === DAMAGED) aside.push(await this.#renameAside(name));
    }
    await this.#sync();
    return aside;
  }

  /** Not as `*.json`: boot, and the next window, look for those. */
  async #renameAside(name: string): Promise<string> {
    for (let count = 1; count <= MOST_SET_ASIDE; count += 1) {
      const aside = this.#path(`${name}.damaged-${count}`);
      try {
        await link(this.#path(name), aside);
      } catch (error) {
        if (codeOf(error) === 'EEXIST') continue;
        throw error;
      }
      await rm(this.#path(name));
      return aside;
    }
    throw new Error(`${this.#folder} holds ${MOST_SET_ASIDE} damaged copies of ${name}; look at them, and delete them`);
  }

  #damaged(name: string): WindowOnDisk {
    return { kind: 'damaged', reason: `${this.#path(name)} is damaged, or from a newer agent` };
  }

  async #move(from: string, to: string): Promise<boolean> {
    try {
      await rename(this.#path(from), this.#path(to));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
    await this.#sync();
    return true;
  }

  /** @throws when the file cannot be read: that says nothing about what it holds */
  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | typeof DAMAGED | undefined> {
    const file = this.#path(name);
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const seen = this.#seen.get(name);
    // What a file's schema gave is kept under its name only.
    if (seen !== undefined && isSameFile(seen.stats, stats)) return seen.value as T;
    let text;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const value = schema.parse(JSON.parse(text));
      this.#seen.set(name, { stats, value });
      return value;
    } catch {
      return DAMAGED;
    }
  }

  async #sync(): Promise<void> {
    const handle = await open(this.#folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  #path(name: string): string {
    return path.join(this.#folder, name);
  }
}

/** Another file, or written again: the time of its last change goes with whatever is done to a file, a rename too (inode(7)). */
function isSameFile(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.ctimeMs === other.ctimeMs && one.size === other.size;
}
