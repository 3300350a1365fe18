import { BlockRung, type KmodBlock } from '@modfleet/proto';
import { fnmatch } from './glob.ts';
import type { KmodIndex } from './kmod-index.ts';
import { linesOf, type ModprobeConfig } from './modprobe-config.ts';
import type { ModprobeEntry } from './modprobe-lines.ts';

type Tree = Pick<KmodIndex, 'files' | 'builtin' | 'aliases'>;

/**
 * `alias NAME OTHER` comes before the kmod of that name and before depmod's aliases (seen with kmod 30): modprobe loads OTHER instead, and nothing, with
 * exit 0, where there is no OTHER (`alias NAME off`). Where several lines match, all of their kmods are loaded. A kmod is still loaded by its other
 * names, and as a dependency. Without a tree nothing tells which names are kmods, and modprobe loads nothing anyway: no rung then.
 */
export function aliasBlocks(config: ModprobeConfig, tree: Tree | undefined): KmodBlock[] {
  const lines = linesOf(config, 'alias');
  if (lines.length === 0 || tree === undefined) return [];
  return [...[...tree.files.keys()].flatMap((kmod) => diverted(lines, kmod, kmod, tree)), ...byAlias(lines, tree)];
}

/** One rung for each line that takes aliases of a kmod away, however many those are. */
function byAlias(lines: readonly ModprobeEntry[], tree: Tree): KmodBlock[] {
  const found = new Map<string, KmodBlock>();
  for (const { pattern, kmod } of tree.aliases) {
    if (!tree.files.has(kmod)) continue;
    for (const block of diverted(lines, pattern, kmod, tree)) found.set(`${kmod}\0${block.file}\0${block.line}`, block);
  }
  return [...found.values()];
}

/** The lines that lead a request for `text` away from `kmod`, to which it would lead without them. */
function diverted(lines: readonly ModprobeEntry[], text: string, kmod: string, tree: Tree): KmodBlock[] {
  const matching = lines.filter((line) => line.subject === text || fnmatch(line.subject, text));
  if (matching.some((line) => line.rest === kmod)) return [];
  return matching.map((line) => ({
    kmod,
    rung: BlockRung.BLOCK_RUNG_ALIAS,
    file: line.file,
    line: line.line,
    detail: `alias ${line.subject} ${line.rest}: for ${text === kmod ? 'its name' : 'that alias'} modprobe loads ${
      tree.files.has(line.rest) ? `${line.rest} instead` : 'nothing'
    }`,
  }));
}
