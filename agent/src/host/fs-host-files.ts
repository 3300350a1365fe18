import {
  closeSync,
  type Dirent,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { lstat, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf } from '../error-words.ts';
import type { HostEntry, HostFiles, HostStat, ReadOutcome } from './host-files.ts';
import { answersAtOnce } from './kernel-memory.ts';

const MIB = 1024 * 1024;

/** modules.alias of a distribution kernel is about 1.5 MiB; more than ten times that is damage. */
const MAX_TEXT_BYTES = 16 * MIB;

/** The largest kmod files with debug information are tens of MiB. */
const MAX_FILE_BYTES = 64 * MIB;

/** As the kernel: more links than this in one path is a loop (path_resolution(7)). */
const MAX_LINKS = 40;

/** Read size for files of proc and sys, whose stat says 0 or 4096. */
const CHUNK_BYTES = 64 * 1024;

/** Calls on this thread in one turn of the event loop: about 0.1 to 1 ms. A turn through libuv's threads costs ten times the call. */
const CALLS_A_TURN = 64;

/**
 * Host files on a real file system. With a root other than `/`, every link is resolved by hand, so that neither an absolute link nor `..`
 * leaves the root: a captured tree cannot show a file of this machine.
 */
export class FsHostFiles implements HostFiles {
  readonly root: string;
  #calls = 0;

  constructor(root = '/') {
    this.root = path.resolve(root);
  }

  readText(hostPath: string): Promise<ReadOutcome<string>> {
    const text = (bytes: Buffer): string => bytes.toString('utf8');
    return this.#at(
      hostPath,
      async (real) => text(await readAll(real, MAX_TEXT_BYTES)),
      (real) => text(readAllNow(real, MAX_TEXT_BYTES)),
    );
  }

  readBytes(hostPath: string, maxBytes = MAX_FILE_BYTES): Promise<ReadOutcome<Uint8Array>> {
    return this.#at(
      hostPath,
      (real) => readAll(real, maxBytes),
      (real) => readAllNow(real, maxBytes),
    );
  }

  list(hostPath: string): Promise<ReadOutcome<readonly HostEntry[]>> {
    return this.#at(
      hostPath,
      async (real) => hostEntries(await readdir(real, { withFileTypes: true })),
      (real) => hostEntries(readdirSync(real, { withFileTypes: true })),
    );
  }

  async readLink(hostPath: string): Promise<ReadOutcome<string>> {
    if (this.root === '/') {
      return this.#at(
        hostPath,
        (real) => readlink(real),
        (real) => readlinkSync(real),
      );
    }
    const normal = path.posix.normalize(hostPath);
    return outcome(async () => {
      const parent = await this.#resolve(path.posix.dirname(normal));
      return readlink(path.join(this.root, parent, path.posix.basename(normal)));
    });
  }

  realPath(hostPath: string): Promise<ReadOutcome<string>> {
    if (this.root !== '/') return outcome(() => this.#resolve(hostPath));
    return this.#at(
      hostPath,
      (real) => realpath(real),
      (real) => realpathSync.native(real),
    );
  }

  stat(hostPath: string): Promise<ReadOutcome<HostStat>> {
    return this.#at(hostPath, async (real) => hostStat(await stat(real)), statNow);
  }

  async statMany(hostPaths: readonly string[]): Promise<ReadOutcome<HostStat>[]> {
    const found: ReadOutcome<HostStat>[] = [];
    for (const hostPath of hostPaths) {
      if (this.root === '/') await this.#maybeNextTurn();
      found.push(await this.#at(hostPath, async (real) => statNow(real)));
    }
    return found;
  }

  /** `now` is the same on this thread, for what the kernel answers at once. */
  async #at<T>(
    hostPath: string,
    use: (real: string) => Promise<T>,
    now?: (real: string) => T,
  ): Promise<ReadOutcome<T>> {
    if (this.root !== '/') return outcome(async () => use(path.join(this.root, await this.#resolve(hostPath))));
    if (now === undefined || !answersAtOnce(hostPath)) return outcome(() => use(hostPath));
    await this.#maybeNextTurn();
    return outcome(async () => now(hostPath));
  }

  /** What else waits for this thread has its turn every some calls. */
  async #maybeNextTurn(): Promise<void> {
    if (++this.#calls % CALLS_A_TURN === 0) await nextTurn();
  }

  /** The path without links, `.` and `..`, as the host sees it. The last part must exist. */
  async #resolve(hostPath: string): Promise<string> {
    const pending = hostPath.split('/');
    let resolved = '/';
    let links = 0;
    for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        resolved = path.posix.dirname(resolved);
        continue;
      }
      const next = path.posix.join(resolved, part);
      const found = await lstat(path.join(this.root, next));
      if (!found.isSymbolicLink()) {
        resolved = next;
        continue;
      }
      if (++links > MAX_LINKS) throw errnoError('ELOOP', `too many links in ${hostPath}`);
      const target = await readlink(path.join(this.root, next));
      if (target.startsWith('/')) resolved = '/';
      pending.unshift(...target.split('/'));
    }
    return resolved;
  }
}

/**
 * An attribute of sysfs comes whole in one read of a page (Documentation/filesystems/sysfs.rst), and so does a setting of /proc/sys, which gives
 * nothing past its beginning (kernel/sysctl.c): a shorter read is its end.
 */
const ATTRIBUTE_BYTES = 4096;
const ATTRIBUTES = /^\/(sys|proc\/sys)\//;

/** Reads to the end by itself: files of proc and sys do not say their size. */
async function readAll(real: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(real, 'r');
  try {
    const read = new Reading(real, maxBytes);
    while (!read.atEnd) {
      const chunk = Buffer.allocUnsafe(read.wanted);
      const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
      read.add(chunk.subarray(0, bytesRead));
    }
    return read.bytes;
  } finally {
    await handle.close();
  }
}

/** Where every read on this thread lands first: most files of proc and sys are a few bytes. */
const SCRATCH = Buffer.allocUnsafeSlow(CHUNK_BYTES);

function readAllNow(real: string, maxBytes: number): Buffer {
  const handle = openSync(real, 'r');
  try {
    const read = new Reading(real, maxBytes);
    while (!read.atEnd) {
      const length = readSync(handle, SCRATCH, 0, read.wanted, null);
      read.add(Buffer.from(SCRATCH.subarray(0, length)));
    }
    return read.bytes;
  } finally {
    closeSync(handle);
  }
}

/** The pieces of one file, up to a limit. */
class Reading {
  readonly #real: string;
  readonly #isAttribute: boolean;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #total = 0;
  atEnd = false;

  constructor(real: string, maxBytes: number) {
    this.#real = real;
    this.#isAttribute = ATTRIBUTES.test(real);
    this.#maxBytes = maxBytes;
  }

  /** How much to ask for next, bytes. */
  get wanted(): number {
    return Math.min(this.#isAttribute ? ATTRIBUTE_BYTES : CHUNK_BYTES, this.#maxBytes + 1 - this.#total);
  }

  /** @throws EFBIG past the limit. */
  add(chunk: Buffer): void {
    this.atEnd = chunk.length === 0 || (this.#isAttribute && chunk.length < this.wanted);
    this.#total += chunk.length;
    if (this.#total > this.#maxBytes) throw errnoError('EFBIG', `${this.#real} is longer than ${this.#maxBytes} bytes`);
    this.#chunks.push(chunk);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks, this.#total);
  }
}

const statNow = (real: string): HostStat => hostStat(statSync(real));

function hostEntries(entries: readonly Dirent[]): HostEntry[] {
  return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function hostStat(stats: Stats): HostStat {
  return { size: stats.size, mtimeMs: stats.mtimeMs, kind: kindOf(stats), mode: stats.mode & 0o7777 };
}

function kindOf(entry: Dirent | Stats): HostEntry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

function errnoError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}

async function outcome<T>(read: () => Promise<T>): Promise<ReadOutcome<T>> {
  try {
    return { kind: 'ok', value: await read() };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'not_found' };
    if (code === 'EACCES' || code === 'EPERM') return { kind: 'denied', errno: code };
    return { kind: 'error', errno: code, message: error instanceof Error ? error.message : code };
  }
}
