import { constants } from 'node:fs';
import { lstat, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../error-words.ts';

/*
 * The files of the host that an action may write: parameters of what is loaded or built in, and one list a kmod below /etc/modules-load.d. Names are
 * checked here, whoever asks; nobody names a path.
 *
 * INVARIANTS
 * - Nothing is written outside these two folders, through no link, and no file that is not byte for byte ours is replaced or removed.
 * - A list is whole or not there, also after a crash: temporary file, fsync, rename, fsync of the folder.
 */

/** Where systemd-modules-load finds what the host's own administrator wants loaded (modules-load.d(5)). */
export const LISTS_FOLDER = '/etc/modules-load.d';

/** As the kernel has it. */
const KMOD = /^[A-Za-z0-9_]{1,55}$/;

/** Name of a parameter's file. */
const PARAMETER_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/;

/** systemd-modules-load runs as root; the agent, which reports these lists, does not. */
const LIST_MODE = 0o644;

/** How a write ended. `foreign`: what is there is not ours. */
export type WriteEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'failed'; readonly errno: string; readonly message: string };

/** The third door to the host: the few files that an action may write. */
export interface HostWrites {
  /** Writes one run-time parameter, as `echo -n` would. What the kernel made of it, its file says. */
  setParameter(kmod: string, name: string, value: string): Promise<WriteEnd>;
  /** Makes our list of this kmod. Done when it is there already. */
  persist(kmod: string): Promise<WriteEnd>;
  /** Takes our list of this kmod away. Done when there is none. */
  unpersist(kmod: string): Promise<WriteEnd>;
}

/** The file in which modfleet lists this kmod to be loaded at boot. */
export function listPath(kmod: string): string {
  return `${LISTS_FOLDER}/modfleet-${kmod}.conf`;
}

/** All that is in it. */
export function listContent(kmod: string): string {
  return `# Written by modfleet (ensure_loaded). modfleet removes this file as long as nobody has changed it.\n${kmod}\n`;
}

/** Files of this machine. */
export class FsHostWrites implements HostWrites {
  readonly #root: string;

  /** @param root for tests: a folder that stands for `/`. */
  constructor(root = '/') {
    this.#root = root;
  }

  async setParameter(kmod: string, name: string, value: string): Promise<WriteEnd> {
    if (!KMOD.test(kmod) || !PARAMETER_NAME.test(name)) return NO_NAME;
    return ended(async () => {
      const file = path.join(this.#root, `/sys/module/${kmod}/parameters/${name}`);
      const handle = await open(file, constants.O_WRONLY | constants.O_NOFOLLOW);
      try {
        // One write: sysfs takes a value whole (Documentation/filesystems/sysfs.rst).
        await handle.write(Buffer.from(value), 0, undefined, 0);
      } finally {
        await handle.close();
      }
    });
  }

  async persist(kmod: string): Promise<WriteEnd> {
    if (!KMOD.test(kmod)) return NO_NAME;
    const file = path.join(this.#root, listPath(kmod));
    const there = await this.#look(file, kmod);
    if (there !== 'absent') return there === 'ours' ? DONE : there;
    return ended(() => writeWhole(file, listContent(kmod)));
  }

  async unpersist(kmod: string): Promise<WriteEnd> {
    if (!KMOD.test(kmod)) return NO_NAME;
    const file = path.join(this.#root, listPath(kmod));
    const there = await this.#look(file, kmod);
    if (there !== 'ours') return there === 'absent' ? DONE : there;
    return ended(async () => {
      await rm(file);
      await syncFolder(path.dirname(file));
    });
  }

  async #look(file: string, kmod: string): Promise<'absent' | 'ours' | WriteEnd> {
    try {
      if (!(await lstat(file)).isFile()) return { kind: 'foreign' };
      return (await readFile(file, 'utf8')) === listContent(kmod) ? 'ours' : { kind: 'foreign' };
    } catch (error) {
      return codeOf(error) === 'ENOENT' ? 'absent' : failed(error);
    }
  }
}

/** For whoever only looks, and for captured trees. */
export class NoHostWrites implements HostWrites {
  setParameter(): Promise<WriteEnd> {
    return Promise.resolve(NOT_HERE);
  }

  persist(): Promise<WriteEnd> {
    return Promise.resolve(NOT_HERE);
  }

  unpersist(): Promise<WriteEnd> {
    return Promise.resolve(NOT_HERE);
  }
}

const DONE: WriteEnd = { kind: 'done' };
const NO_NAME: WriteEnd = { kind: 'failed', errno: 'EINVAL', message: 'a name that no kmod or parameter has' };
const NOT_HERE: WriteEnd = { kind: 'failed', errno: 'EROFS', message: 'this process writes no files of the host' };

/** A folder that is not there is not made: without it nothing on this host would read the list. */
async function writeWhole(file: string, content: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    await rm(temporary, { force: true });
    const handle = await open(temporary, 'wx', LIST_MODE);
    try {
      // Whatever the umask is.
      await handle.chmod(LIST_MODE);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(path.dirname(file));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function ended(work: () => Promise<void>): Promise<WriteEnd> {
  try {
    await work();
    return DONE;
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): WriteEnd {
  const errno = codeOf(error) ?? '';
  return { kind: 'failed', errno, message: error instanceof Error ? error.message : errno };
}
