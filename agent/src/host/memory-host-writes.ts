import { type HostWrites, listContent, listPath, type WriteEnd } from './host-writes.ts';
import type { MemoryHostFiles } from './memory-host-files.ts';

/** Writes into a root tree in memory, for tests. A parameter takes what it is given, unless told otherwise. */
export class MemoryHostWrites implements HostWrites {
  readonly #files: MemoryHostFiles;
  /** Every write, in order: what it was, and with what. */
  readonly calls: string[] = [];
  /** What the kernel makes of a value: another one, or an errno's name for a refusal. */
  takes: (name: string, value: string) => { readonly value: string } | { readonly errno: string } = (_name, value) => ({
    value,
  });
  /** The errno's name with which every list fails. */
  readOnly: string | undefined;

  constructor(files: MemoryHostFiles) {
    this.#files = files;
  }

  async setParameter(kmod: string, name: string, value: string): Promise<WriteEnd> {
    this.calls.push(`${kmod} ${name}=${value}`);
    const took = this.takes(name, value);
    if ('errno' in took) return { kind: 'failed', errno: took.errno, message: took.errno };
    this.#files.nodes.set(`/sys/module/${kmod}/parameters/${name}`, `${took.value}\n`);
    return { kind: 'done' };
  }

  persist(kmod: string): Promise<WriteEnd> {
    return this.#list('persist', kmod, () => this.#files.nodes.set(listPath(kmod), listContent(kmod)));
  }

  unpersist(kmod: string): Promise<WriteEnd> {
    return this.#list('unpersist', kmod, () => this.#files.nodes.delete(listPath(kmod)));
  }

  async #list(what: string, kmod: string, work: () => unknown): Promise<WriteEnd> {
    this.calls.push(`${what} ${kmod}`);
    const there = this.#files.nodes.get(listPath(kmod));
    if (there !== undefined && there !== listContent(kmod)) return { kind: 'foreign' };
    if (this.readOnly !== undefined) return { kind: 'failed', errno: this.readOnly, message: this.readOnly };
    work();
    return { kind: 'done' };
  }
}
