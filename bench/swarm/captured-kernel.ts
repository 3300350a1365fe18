import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { repository } from '../../scripts/lib/paths.ts';
import { kernelName } from '../../agent/src/kmod/kernel-name.ts';
import { parseModulesDep } from '../../agent/src/kmod/index-parsers.ts';
import { parseProcModules } from '../../agent/src/kmod/proc-modules.ts';
import { Tree, type TreeNode } from './kernel/tree.ts';
import { standingMachine } from './standing-machine.ts';
import type { KernelBuild, KmodBuild } from './kernel/simulated-kernel.ts';

/** As `capture.ts` writes it: what the agent reads of a lab host with many kmods loaded. */
export interface CapturedFile {
  readonly release: string;
  /** By absolute path: a text, a link's target, or bytes in base64. */
  readonly nodes: Readonly<Record<string, string | { readonly link: string } | { readonly base64: string }>>;
  /** The facet `available` of the kmods that are in the index, encoded, base64. */
  readonly available: string;
}

/** A kernel that simulated hosts run. */
export interface CapturedKernel {
  readonly tree: Tree;
  readonly build: KernelBuild;
  /** The facet of this name, encoded. */
  readonly available: Buffer;
}

export const CAPTURED_FOLDER = join(repository, 'bench/swarm/captured');
const PROC_MODULES = '/proc/modules';
const SYS_MODULE = '/sys/module/';

/** @param name of a file in bench/swarm/captured, without its ending. */
export function readCaptured(name: string): CapturedKernel {
  const file = JSON.parse(
    gunzipSync(readFileSync(join(CAPTURED_FOLDER, `${name}.json.gz`))).toString(),
  ) as CapturedFile;
  const nodes = new Map<string, TreeNode>(
    Object.entries(file.nodes).map(([path, node]) => [
      path,
      typeof node === 'object' && 'base64' in node ? Buffer.from(node.base64, 'base64') : node,
    ]),
  );
  standingMachine(nodes, file.release);
  const modules = parseProcModules(String(file.nodes[PROC_MODULES] ?? ''));
  const depends = dependencies(
    String(
      file.nodes[`/lib/modules/${file.release}/modules.dep`] ??
        file.nodes[`/usr/lib/modules/${file.release}/modules.dep`] ??
        '',
    ),
  );
  const kmods = new Map<string, KmodBuild>(
    modules.map(({ name, size, permanent, taint }) => [
      name,
      {
        name,
        size,
        permanent,
        taint,
        depends: (depends.get(name) ?? []).filter((one) => modules.some((each) => each.name === one)),
      },
    ]),
  );
  const folders = [...nodes.keys()]
    .filter((path) => path.startsWith(SYS_MODULE))
    .map((path) => path.slice(SYS_MODULE.length).split('/', 1)[0] ?? '');
  const builtin = new Set(folders.filter((name) => !kmods.has(kernelName(name))));
  return {
    tree: new Tree(nodes),
    build: { release: file.release, kmods, builtin },
    available: Buffer.from(file.available, 'base64'),
  };
}

function dependencies(modulesDep: string): Map<string, readonly string[]> {
  return new Map([...parseModulesDep(modulesDep)].map(([name, { depends }]) => [name, depends]));
}
