import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { mapOutcome } from '../host/read-outcome.ts';
import {
  parseBuiltinModinfo,
  parseModulesAlias,
  parseModulesBuiltin,
  parseModulesDep,
  parseModulesSoftdep,
  type KmodAlias,
  type KmodFile,
  type SoftDependencies,
} from './index-parsers.ts';
import { findModulesFolder } from './modules-dir.ts';

/** depmod's index of one release: what could be loaded, and what is built in, without opening a kmod. */
export interface KmodIndex {
  readonly release: string;
  /** /lib/modules/RELEASE. */
  readonly folder: string;
  /** By canonical name. */
  readonly files: ReadonlyMap<string, KmodFile>;
  /** Canonical name to path, for code built in. */
  readonly builtin: ReadonlyMap<string, string>;
  readonly aliases: readonly KmodAlias[];
  readonly softdeps: ReadonlyMap<string, SoftDependencies>;
  /** Keys of code built in, in file order. */
  readonly builtinInfo: ReadonlyMap<string, readonly (readonly [key: string, value: string])[]>;
}

/** Names only: what the presence of a kmod is decided by. Small enough to be kept. */
export interface KmodNames {
  readonly release: string;
  readonly folder: string;
  /** Canonical name to path below the folder. */
  readonly onDisk: ReadonlyMap<string, string>;
  readonly builtin: ReadonlySet<string>;
}

/**
 * The whole index, for one decision; a full distribution kernel's takes about 5 MB, so nobody keeps it. modules.dep and modules.builtin
 * must be there; the rest may be missing, as depmod leaves out what it has nothing for.
 */
export async function readKmodIndex(files: HostFiles, release: string): Promise<ReadOutcome<KmodIndex>> {
  const names = await readIndexFiles(files, release);
  if (names.kind !== 'ok') return names;
  const { folder, dep, builtin } = names.value;
  const [alias, softdep, info] = await Promise.all([
    files.readText(`${folder}/modules.alias`),
    files.readText(`${folder}/modules.softdep`),
    files.readBytes(`${folder}/modules.builtin.modinfo`),
  ]);
  const builtinInfo = orEmpty(mapOutcome(info, parseBuiltinModinfo), new Map());
  const aliases = orEmpty(mapOutcome(alias, parseModulesAlias), []);
  const softdeps = orEmpty(mapOutcome(softdep, parseModulesSoftdep), new Map<string, SoftDependencies>());
  if (builtinInfo.kind !== 'ok') return builtinInfo;
  if (aliases.kind !== 'ok') return aliases;
  if (softdeps.kind !== 'ok') return softdeps;
  return {
    kind: 'ok',
    value: {
      release,
      folder,
      files: parseModulesDep(dep),
      builtin: parseModulesBuiltin(builtin),
      aliases: aliases.value,
      softdeps: softdeps.value,
      builtinInfo: builtinInfo.value,
    },
  };
}

/** What is on disk and built in of a release. */
export async function readKmodNames(files: HostFiles, release: string): Promise<ReadOutcome<KmodNames>> {
  return mapOutcome(await readIndexFiles(files, release), ({ folder, dep, builtin }) => ({
    release,
    folder,
    onDisk: new Map([...parseModulesDep(dep).values()].map((file) => [file.name, file.path])),
    builtin: new Set(parseModulesBuiltin(builtin).keys()),
  }));
}

interface IndexTexts {
  readonly folder: string;
  readonly dep: string;
  readonly builtin: string;
}

async function readIndexFiles(files: HostFiles, release: string): Promise<ReadOutcome<IndexTexts>> {
  const folder = await findModulesFolder(files, release);
  if (folder.kind !== 'ok') return folder;
  const [dep, builtin] = await Promise.all([
    files.readText(`${folder.value}/modules.dep`),
    files.readText(`${folder.value}/modules.builtin`),
  ]);
  if (dep.kind !== 'ok') return dep;
  if (builtin.kind !== 'ok') return builtin;
  return { kind: 'ok', value: { folder: folder.value, dep: dep.value, builtin: builtin.value } };
}

function orEmpty<T>(outcome: ReadOutcome<T>, empty: T): ReadOutcome<T> {
  return outcome.kind === 'not_found' ? { kind: 'ok', value: empty } : outcome;
}
