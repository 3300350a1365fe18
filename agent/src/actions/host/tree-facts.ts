import { Verb } from '@modfleet/proto';
import { messageOf } from '../../error-words.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { whyUnreadable } from '../../host/read-outcome.ts';
import { decompress } from '../../kmod/decompress.ts';
import { readKmodFile } from '../../kmod/elf-modinfo.ts';
import { fnmatch } from '../../kmod/glob.ts';
import { foldAlias, type KmodFile } from '../../kmod/index-parsers.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import type { KmodIndex } from '../../kmod/kmod-index.ts';
import { kmodFilePath } from '../../kmod/modules-dir.ts';
import { effectiveSoftdep, linesOf, type ModprobeConfig } from '../../kmod/modprobe-config.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { kmodsOfAlias } from './alias-lookup.ts';
import { asksForLoad, type FileFacts, type Question, type TreeFacts } from '../findings/facts.ts';

/** What is known without a tree: nothing. */
export const NO_TREE: TreeFacts = {
  missing: undefined,
  builtin: false,
  file: undefined,
  aliasOf: [],
  dependencies: [],
  softDependencies: [],
};

/** What the running release's tree says of a kmod. Files are opened only when a load, or a revert's load, would read them. */
export async function treeFacts(
  files: HostFiles,
  index: KmodIndex,
  config: ModprobeConfig,
  modules: readonly ProcModule[],
  question: Question,
): Promise<TreeFacts> {
  const { kmod } = question;
  const file = index.files.get(kmod);
  const builtin = index.builtin.has(kmod);
  const loads = asksForLoad(question);
  // Parameters that are set at run time are held against the types that the file says.
  const opens = loads || question.verb === Verb.VERB_SET_PARAMETERS;
  const loadedNames = new Set(modules.map((module) => module.name));
  // modules.dep lists what is loaded first last.
  const needed = loads
    ? [...(file?.depends ?? [])].reverse().filter((name) => !loadedNames.has(name) && !index.builtin.has(name))
    : [];
  const there = new Set([...loadedNames, ...index.builtin.keys(), ...needed, kmod]);
  const read = (one: KmodFile): Promise<FileFacts> => fileFacts(files, index.folder, one, opens ? there : undefined);
  return {
    missing: undefined,
    builtin,
    file: file === undefined ? undefined : await read(file),
    aliasOf: file === undefined && !builtin ? aliasOf(index, config, kmod) : [],
    dependencies: await Promise.all(
      needed.map((name) => read(index.files.get(name) ?? { name, path: `${name}.ko`, depends: [] })),
    ),
    softDependencies: loads
      ? softDependencies(index, config, [kmod, ...needed]).filter(
          (name) => !loadedNames.has(name) && !index.builtin.has(name),
        )
      : [],
  };
}

/** What modprobe also tries for these: their soft dependencies, what those need and want in turn, aliases resolved where they can be. */
export function softDependencies(index: KmodIndex, config: ModprobeConfig, planned: readonly string[]): string[] {
  const found = new Set<string>();
  const pending = [...planned];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const softdep = effectiveSoftdep(config, name);
    const soft = [...(softdep?.pre ?? []), ...(softdep?.post ?? [])].flatMap((wanted) => kmodsOfName(index, wanted));
    for (const wanted of [...soft, ...(index.files.get(name)?.depends ?? [])]) {
      if (found.has(wanted) || planned.includes(wanted)) continue;
      found.add(wanted);
      pending.push(wanted);
    }
  }
  return [...found];
}

function kmodsOfName(index: KmodIndex, name: string): string[] {
  if (index.files.has(name) || index.builtin.has(name)) return [name];
  const kmods = kmodsOfAlias(index.aliases, foldAlias(name));
  return kmods.length > 0 ? kmods : [name];
}

/** `there`: what is loaded, built in, or would be loaded before it; undefined: the file is not opened. */
async function fileFacts(
  files: HostFiles,
  folder: string,
  file: KmodFile,
  there: ReadonlySet<string> | undefined,
): Promise<FileFacts> {
  const path = kmodFilePath(folder, file.path);
  const present = (await files.stat(path)).kind === 'ok';
  const closed: FileFacts = { name: file.name, path, present, signed: undefined, parameters: undefined };
  if (!present || there === undefined) return closed;
  const bytes = await files.readBytes(path);
  if (bytes.kind !== 'ok') return { ...closed, unread: whyUnreadable(path, bytes) };
  try {
    const info = readKmodFile(await decompress(bytes.value));
    return {
      ...closed,
      signed: info.signer !== undefined,
      parameters: parameterTypes(info.modinfo),
      builtFor: info.modinfo.find(([key]) => key === 'vermagic')?.[1].split(' ')[0],
      lacking: needsOf(info.modinfo).filter((name) => !there.has(name)),
    };
  } catch (error) {
    // Damaged or packed in an unknown way: of a plain load the kernel will say so.
    return { ...closed, unread: `${path} is no kmod file that can be read: ${messageOf(error)}` };
  }
}

/** `depends=a,b-c`: the kmods whose symbols this one uses, as its build knew them (scripts/mod/modpost.c: add_depends). */
function needsOf(modinfo: readonly (readonly [key: string, value: string])[]): string[] {
  return modinfo
    .filter(([key]) => key === 'depends')
    .flatMap(([, value]) => value.split(','))
    .map((name) => kernelName(name.trim()))
    .filter((name) => name !== '');
}

/** `parm=name:description` and `parmtype=name:type` of .modinfo. */
export function parameterTypes(modinfo: readonly (readonly [key: string, value: string])[]): Map<string, string> {
  const types = new Map<string, string>();
  for (const [key, value] of modinfo) {
    if (key !== 'parm' && key !== 'parmtype') continue;
    const colon = value.indexOf(':');
    const name = (colon < 0 ? value : value.slice(0, colon)).replaceAll('-', '_');
    const type = key === 'parmtype' && colon >= 0 ? value.slice(colon + 1) : undefined;
    types.set(name, type ?? types.get(name) ?? '');
  }
  return types;
}

function aliasOf(index: KmodIndex, config: ModprobeConfig, name: string): string[] {
  const configured = linesOf(config, 'alias')
    .filter((entry) => fnmatch(entry.subject, name))
    .map((entry) => entry.rest);
  return [...new Set([...configured, ...kmodsOfAlias(index.aliases, name)])];
}
