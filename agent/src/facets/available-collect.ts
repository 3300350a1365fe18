import type { AvailableFacet, AvailableKmod } from '@modfleet/proto';
import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { decompress } from '../kmod/decompress.ts';
import { readKmodFile, type KmodFileInfo } from '../kmod/elf-modinfo.ts';
import { foldAlias } from '../kmod/index-parsers.ts';
import { readKmodIndex, type KmodIndex } from '../kmod/kmod-index.ts';
import { kmodFilePath } from '../kmod/modules-dir.ts';

type Modinfo = readonly (readonly [key: string, value: string])[];

/**
 * The whole facet `available` of a release: every kmod file is opened and unpacked, one after the other. Expensive (a full Debian kernel:
 * 5 s of CPU): run in a process of its own. A file that cannot be read keeps what the index says of it.
 *
 * @throws Error when `isWanted`, asked before each file, says no.
 */
export async function collectAvailable(
  files: HostFiles,
  release: string,
  isWanted: () => boolean = () => true,
): Promise<ReadOutcome<AvailableFacet>> {
  const index = await readKmodIndex(files, release);
  if (index.kind !== 'ok') return index;
  const aliases = aliasesByKmod(index.value);
  const kmods = new Map<string, AvailableKmod>();
  for (const file of index.value.files.values()) {
    if (!isWanted()) throw new Error('nobody waits for the facet available any more');
    const info = await fileInfo(files, kmodFilePath(index.value.folder, file.path));
    kmods.set(file.name, {
      ...common(index.value, file.name, info?.modinfo ?? []),
      path: file.path,
      builtin: false,
      signer: info?.signer ?? '',
      depends: [...file.depends],
      aliases: aliases.get(file.name) ?? [],
      buildId: info?.buildId ?? '',
    });
  }
  // Code that is built in is what runs, even where a file of the same name is left over.
  for (const name of index.value.builtin.keys()) kmods.set(name, builtinKmod(index.value, name));
  return { kind: 'ok', value: { kernelRelease: release, kmods: [...kmods.values()] } };
}

/** What a kmod file says of itself; undefined when it cannot be read, unpacked or understood. */
export async function fileInfo(files: HostFiles, path: string): Promise<KmodFileInfo | undefined> {
  const packed = await files.readBytes(path);
  if (packed.kind !== 'ok') return undefined;
  try {
    return readKmodFile(await decompress(packed.value));
  } catch {
    // Damaged or cut: the index still names the kmod, and without a build id nobody calls it the file that is loaded.
    return undefined;
  }
}

function builtinKmod(index: KmodIndex, name: string): AvailableKmod {
  const info = index.builtinInfo.get(name) ?? [];
  return {
    ...common(index, name, info),
    path: '',
    builtin: true,
    signer: '',
    depends: [],
    aliases: info.filter(([key]) => key === 'alias').map(([, value]) => foldAlias(value)),
    buildId: '',
  };
}

function common(index: KmodIndex, name: string, info: Modinfo) {
  const softdeps = index.softdeps.get(name);
  return {
    name,
    version: first(info, 'version'),
    srcversion: first(info, 'srcversion'),
    license: first(info, 'license'),
    // One line: values of code built in may hold newlines.
    description: first(info, 'description').replace(/\s+/g, ' ').trim(),
    softdepsPre: [...(softdeps?.pre ?? [])],
    softdepsPost: [...(softdeps?.post ?? [])],
  };
}

function first(info: Modinfo, key: string): string {
  return info.find(([name]) => name === key)?.[1] ?? '';
}

function aliasesByKmod(index: KmodIndex): Map<string, string[]> {
  const grouped = new Map<string, string[]>();
  for (const { pattern, kmod } of index.aliases) {
    const known = grouped.get(kmod);
    if (known === undefined) grouped.set(kmod, [pattern]);
    else known.push(pattern);
  }
  return grouped;
}
