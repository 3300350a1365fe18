import path from 'node:path';
import type { HostEntry, ReadOutcome } from '../../../agent/src/host/host-files.ts';

/** What stands at a path of a captured tree: a text, bytes, or a link. Folders come from the paths below them. */
export type TreeNode = string | Uint8Array | { readonly link: string };

/** What a host may ask of a path. */
export type Asked = 'text' | 'bytes' | 'list' | 'link' | 'real' | 'stat';

/** A tree that many simulated hosts share: read-only, with the entries of every folder at hand. */
export class Tree {
  readonly #nodes: ReadonlyMap<string, TreeNode>;
  readonly #folders = new Map<string, readonly HostEntry[]>();
  readonly #answers = new Map<Asked, Map<string, ReadOutcome<unknown>>>();

  /** @param nodes by absolute path. */
  constructor(nodes: ReadonlyMap<string, TreeNode>) {
    this.#nodes = nodes;
    const below = new Map<string, Map<string, HostEntry>>([['/', new Map()]]);
    const add = (file: string, kind: HostEntry['kind']): void => {
      const folder = path.posix.dirname(file);
      const known = below.get(folder);
      const entries = known ?? new Map<string, HostEntry>();
      if (known === undefined) {
        below.set(folder, entries);
        add(folder, 'directory');
      }
      const name = path.posix.basename(file);
      if (name !== '') entries.set(name, { name, kind });
    };
    for (const [file, node] of nodes) add(file, isLink(node) ? 'link' : 'file');
    for (const [folder, entries] of below)
      this.#folders.set(
        folder,
        [...entries.values()].sort((left, right) => (left.name < right.name ? -1 : 1)),
      );
  }

  node(file: string): TreeNode | undefined {
    return this.#nodes.get(file);
  }

  /** What was answered before, by path: a thousand hosts of one tree ask the same. */
  answers(asked: Asked): Map<string, ReadOutcome<unknown>> {
    const answers = this.#answers.get(asked) ?? new Map<string, ReadOutcome<unknown>>();
    this.#answers.set(asked, answers);
    return answers;
  }

  /** Entries sorted by name; undefined where there is no folder. */
  folder(file: string): readonly HostEntry[] | undefined {
    return this.#folders.get(file);
  }
}

export function isLink(node: TreeNode | undefined): node is { readonly link: string } {
  return typeof node === 'object' && 'link' in node;
}
