import path from 'node:path';
import type { HostEntry, HostFiles, HostStat, ReadOutcome } from './host-files.ts';
import { failure, resolvePath } from './resolve-path.ts';

/**
 * What stands at a path: a text, bytes, a link, or an error for every read (`EACCES`, `EIO`, …). Folders come from the paths below them; an empty one
 * is a node of its own.
 */
export type MemoryNode =
  string | Uint8Array | { readonly link: string } | { readonly errno: string } | { readonly folder: 'empty' };

/** A root tree in memory, for tests: any file may be made unreadable, any may change between two reads. */
export class MemoryHostFiles implements HostFiles {
  readonly root = '/memory';
  readonly nodes: Map<string, MemoryNode>;
  /** Modification times, ms; 0 for paths that are not here. */
  readonly mtimes = new Map<string, number>();
  /** Permission bits; 0644 for paths that are not here. */
  readonly modes = new Map<string, number>();
  /** Paths that were read, in order: what a test of cost looks at. */
  readonly reads: string[] = [];

  constructor(nodes: Readonly<Record<string, MemoryNode>> = {}) {
    this.nodes = new Map(Object.entries(nodes));
  }

  async readText(hostPath: string): Promise<ReadOutcome<string>> {
    const bytes = await this.readBytes(hostPath);
    return bytes.kind === 'ok' ? { kind: 'ok', value: Buffer.from(bytes.value).toString('utf8') } : bytes;
  }

  readBytes(hostPath: string): Promise<ReadOutcome<Uint8Array>> {
    this.reads.push(hostPath);
    const found = this.#find(hostPath);
    if (found.kind !== 'ok') return Promise.resolve(found);
    const node = this.nodes.get(found.value);
    if (node === undefined || isEmptyFolder(node)) return Promise.resolve(failure('EISDIR'));
    if (typeof node === 'string') return Promise.resolve({ kind: 'ok', value: Buffer.from(node) });
    return Promise.resolve(node instanceof Uint8Array ? { kind: 'ok', value: node } : failure('EIO'));
  }

  list(hostPath: string): Promise<ReadOutcome<readonly HostEntry[]>> {
    const found = this.#find(hostPath);
    if (found.kind !== 'ok') return Promise.resolve(found);
    const node = this.nodes.get(found.value);
    if (isEmptyFolder(node)) return Promise.resolve({ kind: 'ok', value: [] });
    if (node !== undefined) return Promise.resolve({ kind: 'not_found' });
    const below = found.value === '/' ? '/' : `${found.value}/`;
    const names = new Set(
      [...this.nodes.keys()]
        .filter((key) => key.startsWith(below))
        .map((key) => key.slice(below.length).split('/')[0] ?? ''),
    );
    const value = [...names].sort().map((name) => ({ name, kind: this.#kindOf(`${below}${name}`) }));
    return Promise.resolve({ kind: 'ok', value });
  }

  readLink(hostPath: string): Promise<ReadOutcome<string>> {
    const parent = this.#find(path.posix.dirname(hostPath));
    if (parent.kind !== 'ok') return Promise.resolve(parent);
    const node = this.nodes.get(path.posix.join(parent.value, path.posix.basename(hostPath)));
    if (node === undefined) return Promise.resolve({ kind: 'not_found' });
    if (typeof node === 'object' && 'link' in node) return Promise.resolve({ kind: 'ok', value: node.link });
    return Promise.resolve(failure('EINVAL'));
  }

  realPath(hostPath: string): Promise<ReadOutcome<string>> {
    return Promise.resolve(this.#find(hostPath));
  }

  stat(hostPath: string): Promise<ReadOutcome<HostStat>> {
    const found = this.#find(hostPath);
    if (found.kind !== 'ok') return Promise.resolve(found);
    const node = this.nodes.get(found.value);
    const size = typeof node === 'string' ? Buffer.byteLength(node) : node instanceof Uint8Array ? node.length : 0;
    const mode = this.modes.get(found.value) ?? 0o644;
    const mtimeMs = this.mtimes.get(found.value) ?? 0;
    return Promise.resolve({ kind: 'ok', value: { size, mtimeMs, kind: this.#kindOf(found.value), mode } });
  }

  statMany(hostPaths: readonly string[]): Promise<ReadOutcome<HostStat>[]> {
    return Promise.all(hostPaths.map((hostPath) => this.stat(hostPath)));
  }

  /** The path without links. An `errno` node on the way fails with it. */
  #find(hostPath: string): ReadOutcome<string> {
    return resolvePath(hostPath, (resolved) => {
      const node = this.nodes.get(resolved);
      if (node === undefined) return this.#isFolder(resolved) ? 'plain' : 'nothing';
      return typeof node === 'object' && ('errno' in node || 'link' in node) ? node : 'plain';
    });
  }

  #isFolder(resolved: string): boolean {
    return resolved === '/' || [...this.nodes.keys()].some((key) => key.startsWith(`${resolved}/`));
  }

  #kindOf(resolved: string): HostEntry['kind'] {
    const node = this.nodes.get(resolved);
    if (node === undefined || isEmptyFolder(node)) return 'directory';
    return typeof node === 'object' && 'link' in node ? 'link' : 'file';
  }
}

function isEmptyFolder(node: MemoryNode | undefined): boolean {
  return typeof node === 'object' && 'folder' in node;
}
