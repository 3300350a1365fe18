import { type Dirent, type Stats, statSync } from 'node:fs';
import { lstat, open, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf } from '../error-words.ts';
import type { HostEntry, HostFiles, HostStat, ReadOutcome } from './host-files.ts';

const MIB = 1024 * 1024;

/** modules.alias of a distribution kernel is about 1.5 MiB; more than ten times that is damage. */
const MAX_TEXT_BYTES = 16 * MIB;

/** The largest kmod files with debug information are tens of MiB. */
const MAX_FILE_BYTES = 64 * MIB;

/** As the kernel: more links than this in one path is a loop (path_resolution(7)). */
const MAX_LINKS = 40;

/** Read size for files of proc and sys, whose stat says 0 or 4096. */
const CHUNK_BYTES = 64 * 1024;

/** Files whose stat is asked in one turn of the event loop: about 0.1 ms. A turn through libuv's threads costs ten times the call. */
const STATS_A_TURN = 64;

/**
 * Host files on a real file system. With a root other than `/`, every link is resolved by hand, so that neither an absolute link nor `..`
 * leaves the root: a captured tree cannot show a file of this machine.
 */
export class FsHostFiles implements HostFiles {
  readonly root: string;

  constructor(root = '/') {
    this.root = path.resolve(root);
  }

  readText(hostPath: string): Promise<ReadOutcome<string>> {
    return this.#at(hostPath, async (real) => (await readAll(real, MAX_TEXT_BYTES)).toString('utf8'));
  }

  readBytes(hostPath: string, maxBytes = MAX_FILE_BYTES): Promise<ReadOutcome<Uint8Array>> {
    return this.#at(hostPath, (real) => readAll(real, maxBytes));
  }

  list(hostPath: string): Promise<ReadOutcome<readonly HostEntry[]>> {
    return this.#at(hostPath, async (real) =>
      (await readdir(real, { withFileTypes: true }))
        .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  async readLink(hostPath: string): Promise<ReadOutcome<string>> {
    if (this.root === '/') return outcome(() => readlink(hostPath));
    const normal = path.posix.normalize(hostPath);
    return outcome(async () => {
      const parent = await this.#resolve(path.posix.dirname(normal));
      return readlink(path.join(this.root, parent, path.posix.basename(normal)));
    });
  }

  realPath(hostPath: string): Promise<ReadOutcome<string>> {
    return outcome(() => (this.root === '/' ? realpath(hostPath) : this.#resolve(hostPath)));
  }

  stat(hostPath: string): Promise<ReadOutcome<HostStat>> {
    return this.#at(hostPath, async (real) => hostStat(await stat(real)));
  }

  async statMany(hostPaths: readonly string[]): Promise<ReadOutcome<HostStat>[]> {
    const found: ReadOutcome<HostStat>[] = [];
    for (const [index, hostPath] of hostPaths.entries()) {
      if (index % STATS_A_TURN === STATS_A_TURN - 1) await nextTurn();
      found.push(await this.#at(hostPath, (real) => hostStat(statSync(real))));
    }
    return found;
  }

  async #at<T>(hostPath: string, use: (real: string) => Promise<T> | T): Promise<ReadOutcome<T>> {
    return outcome(async () => use(this.root === '/' ? hostPath : path.join(this.root, await this.#resolve(hostPath))));
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

/** An attribute of sysfs comes whole in one read of a page (Documentation/filesystems/sysfs.rst): a shorter read is its end. */
const ATTRIBUTE_BYTES = 4096;

/** Reads to the end by itself: files of proc and sys do not say their size. */
async function readAll(real: string, maxBytes: number): Promise<Buffer> {
  const isAttribute = real.startsWith('/sys/');
  const handle = await open(real, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const wanted = Math.min(isAttribute ? ATTRIBUTE_BYTES : CHUNK_BYTES, maxBytes + 1 - total);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, null);
      if (bytesRead === 0) break;
      total += bytesRead;
      if (total > maxBytes) throw errnoError('EFBIG', `${real} is longer than ${maxBytes} bytes`);
      chunks.push(buffer.subarray(0, bytesRead));
      if (isAttribute && bytesRead < wanted) break;
    }
    return Buffer.concat(chunks, total);
  } finally {
    await handle.close();
  }
}

function hostStat(stats: Stats): HostStat {
  return { size: stats.size, mtimeMs: stats.mtimeMs, kind: kindOf(stats) };
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
