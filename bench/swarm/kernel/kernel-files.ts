import path from 'node:path';
import type { HostEntry, HostFiles, HostStat, ReadOutcome } from '../../../agent/src/host/host-files.ts';
import { LISTS_FOLDER } from '../../../agent/src/host/host-writes.ts';
import { failure, resolvePath } from '../../../agent/src/host/resolve-path.ts';
import { type Asked, isLink, type Tree, type TreeNode } from './tree.ts';

const SYS_MODULE = '/sys/module/';
const PROC_MODULES = '/proc/modules';

/** What of a host's files is its own: the rest is the tree's, which it shares. */
export interface OwnFiles {
  /** Files of this host alone, by path. */
  readonly texts: ReadonlyMap<string, string>;
  /** /proc/modules as it is now. */
  procModules(): string;
  /** Whether a folder of /sys/module is there: of a loaded kmod, or of code that is built in. */
  hasSysModule(name: string): boolean;
  /** The present value of a kmod's parameter, where it was set. */
  parameter(kmod: string, name: string): string | undefined;
}

/**
 * The agent's first door, to a simulated kernel.
 *
 * INVARIANT: what is kept with the tree is what every host of it would be answered: nothing of it lies at, or was found by way of, a place that is a host's own.
 */
export class KernelFiles implements HostFiles {
  // Nothing of a simulated host lies below another root: the agent asks for programs, as on a real one.
  readonly root = '/';
  readonly #tree: Tree;
  readonly #own: OwnFiles;
  /** While a path is looked up: a place of this host alone was met. */
  #metOwn = false;

  constructor(tree: Tree, own: OwnFiles) {
    this.#tree = tree;
    this.#own = own;
  }

  async readText(hostPath: string): Promise<ReadOutcome<string>> {
    return this.#answer('text', hostPath, () => {
      const found = this.#file(hostPath);
      if (found.kind !== 'ok') return found;
      const { value } = found;
      return { kind: 'ok', value: typeof value === 'string' ? value : Buffer.from(value).toString('utf8') };
    });
  }

  async readBytes(hostPath: string): Promise<ReadOutcome<Uint8Array>> {
    return this.#answer('bytes', hostPath, () => {
      const found = this.#file(hostPath);
      if (found.kind !== 'ok') return found;
      const { value } = found;
      return { kind: 'ok', value: typeof value === 'string' ? Buffer.from(value) : value };
    });
  }

  async list(hostPath: string): Promise<ReadOutcome<readonly HostEntry[]>> {
    return this.#answer('list', hostPath, () => {
      const found = this.#find(hostPath);
      if (found.kind !== 'ok') return found;
      const shared = this.#tree.folder(found.value);
      const own = this.#ownIn(found.value);
      if (shared === undefined && own.length === 0 && found.value !== LISTS_FOLDER) return { kind: 'not_found' };
      const entries = own.length === 0 ? (shared ?? []) : withOwn(shared ?? [], own);
      const value =
        found.value === SYS_MODULE.slice(0, -1) ? entries.filter(({ name }) => this.#own.hasSysModule(name)) : entries;
      return { kind: 'ok', value };
    });
  }

  async readLink(hostPath: string): Promise<ReadOutcome<string>> {
    return this.#answer('link', hostPath, () => {
      // Nearly every path is as it stands.
      const plain = this.#stands(hostPath) ? this.#node(hostPath) : undefined;
      if (isLink(plain)) return { kind: 'ok', value: plain.link };
      const parent = this.#find(path.posix.dirname(hostPath));
      if (parent.kind !== 'ok') return parent;
      const node = this.#node(path.posix.join(parent.value, path.posix.basename(hostPath)));
      if (node === undefined) return { kind: 'not_found' };
      return isLink(node) ? { kind: 'ok', value: node.link } : failure('EINVAL');
    });
  }

  async realPath(hostPath: string): Promise<ReadOutcome<string>> {
    return this.#answer('real', hostPath, () => this.#find(hostPath));
  }

  async stat(hostPath: string): Promise<ReadOutcome<HostStat>> {
    return this.#answer('stat', hostPath, () => {
      const found = this.#find(hostPath);
      if (found.kind !== 'ok') return found;
      const node = this.#node(found.value);
      const size =
        node === undefined || isLink(node) ? 0 : typeof node === 'string' ? Buffer.byteLength(node) : node.length;
      return { kind: 'ok', value: { size, mtimeMs: 0, kind: node === undefined ? 'directory' : 'file', mode: 0o644 } };
    });
  }

  statMany(hostPaths: readonly string[]): Promise<ReadOutcome<HostStat>[]> {
    return Promise.all(hostPaths.map((hostPath) => this.stat(hostPath)));
  }

  #answer<T>(asked: Asked, hostPath: string, look: () => ReadOutcome<T>): ReadOutcome<T> {
    if (this.#isOwn(hostPath)) return look();
    const answers = this.#tree.answers(asked);
    const known = answers.get(hostPath);
    if (known !== undefined) return known as ReadOutcome<T>;
    this.#metOwn = false;
    const answer = look();
    if (!this.#metOwn) answers.set(hostPath, answer);
    return answer;
  }

  /** Whether hosts of one tree differ there. All have texts of their own at the same paths, beside lists of kmods. */
  #isOwn(file: string): boolean {
    return (
      file === PROC_MODULES ||
      file.startsWith(SYS_MODULE.slice(0, -1)) ||
      file.startsWith(LISTS_FOLDER) ||
      this.#own.texts.has(file)
    );
  }

  /** This host's own files in a folder. Only of lists of kmods: the others stand where the tree has one, too. */
  #ownIn(folder: string): readonly HostEntry[] {
    if (folder !== LISTS_FOLDER) return [];
    const names = [...this.#own.texts.keys()].filter((file) => path.posix.dirname(file) === folder);
    return names.map((file) => ({ name: path.posix.basename(file), kind: 'file' }));
  }

  #file(hostPath: string): ReadOutcome<string | Uint8Array> {
    const found = this.#find(hostPath);
    if (found.kind !== 'ok') return found;
    const node = this.#node(found.value);
    return node === undefined || isLink(node) ? failure('EISDIR') : { kind: 'ok', value: node };
  }

  /** The path without links, where something stands. */
  #find(hostPath: string): ReadOutcome<string> {
    // Nearly every path is as it stands.
    if (this.#stands(hostPath) && !isLink(this.#node(hostPath))) return { kind: 'ok', value: hostPath };
    return resolvePath(hostPath, (resolved) => {
      if (!this.#stands(resolved)) return 'nothing';
      const node = this.#node(resolved);
      return isLink(node) ? node : 'plain';
    });
  }

  #stands(file: string): boolean {
    this.#metOwn ||= this.#isOwn(file);
    if (file.startsWith(SYS_MODULE) && !this.#own.hasSysModule(file.slice(SYS_MODULE.length).split('/', 1)[0] ?? ''))
      return false;
    return file === LISTS_FOLDER || this.#node(file) !== undefined || this.#tree.folder(file) !== undefined;
  }

  #node(file: string): TreeNode | undefined {
    this.#metOwn ||= this.#isOwn(file);
    if (file === PROC_MODULES) return this.#own.procModules();
    const own = this.#own.texts.get(file);
    if (own !== undefined) return own;
    const node = this.#tree.node(file);
    if (node === undefined || !file.startsWith(SYS_MODULE)) return node;
    const [kmod = '', folder, name] = file.slice(SYS_MODULE.length).split('/');
    if (folder !== 'parameters' || name === undefined) return node;
    const set = this.#own.parameter(kmod, name);
    return set === undefined ? node : `${set}\n`;
  }
}

function withOwn(shared: readonly HostEntry[], own: readonly HostEntry[]): HostEntry[] {
  const entries = new Map([...shared, ...own].map((entry) => [entry.name, entry]));
  return [...entries.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}
