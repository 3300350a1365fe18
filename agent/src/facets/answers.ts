import { canonicalKmodName, KmodPresence, type KmodAnswer, type KmodBlock } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { blocksOf } from '../kmod/blocks.ts';
import type { KmodNames } from '../kmod/kmod-index.ts';
import { type ProcModule, ProcModulesReader } from '../kmod/proc-modules.ts';
import { readSysModuleIdentity } from '../kmod/sys-module.ts';
import { kernelName } from '../kmod/kernel-name.ts';
import { ConfigObserver } from './config.ts';
import { observeDevices } from './devices.ts';
import { whyNoLoadedKmods } from './host-kind.ts';
import { toLoadedKmod } from './loaded.ts';

/** A host that cannot say what is loaded. */
export class NoAnswerError extends Error {
  readonly code = 'incapable';
  constructor(reason: string) {
    super(reason);
    this.name = 'NoAnswerError';
  }
}

/** What the tree of the running kernel has, or why that cannot be read. */
export type TreeNames =
  { readonly kind: 'value'; readonly names: KmodNames } | { readonly kind: 'incapable'; readonly reason: string };

/** Who read the same files before, and need not work out again what follows from them where they are the same still. */
export interface Readers {
  readonly list?: ProcModulesReader;
  readonly config?: ConfigObserver;
}

/**
 * What the host says now of each kmod asked for: every file is read. Without a readable tree of the running kernel a kmod that is not loaded has no presence, but the
 * reason for it: nobody can say that it is absent.
 *
 * @throws NoAnswerError when the loaded kmods cannot be read.
 */
export async function answerNow(
  files: HostFiles,
  tree: TreeNames,
  kmods: readonly string[],
  { list = new ProcModulesReader(), config: configs = new ConfigObserver(files) }: Readers = {},
): Promise<KmodAnswer[]> {
  const listed = await list.read(files);
  if (listed.kind !== 'ok') throw new NoAnswerError(await whyNoLoadedKmods(files, listed));
  const names = tree.kind === 'value' ? tree.names : undefined;
  const config = await configs.look();
  const blocks = config.kind === 'value' ? config.value.blocks : [];
  const asked = new Set(kmods.map(canonicalKmodName));
  const loaded = new Map(listed.value.filter(({ name }) => asked.has(name)).map((kmod) => [kmod.name, kmod]));
  const unplaced = [...asked].some((name) => !loaded.has(name) && !isListed(name, names));
  const drivers = unplaced ? await builtinDrivers(files) : new Set<string>();
  return Promise.all(
    kmods.map(async (given) => {
      const name = canonicalKmodName(given);
      const kmod = loaded.get(name);
      return kmod === undefined ? notLoaded(name, tree, drivers, blocks) : loadedAnswer(files, kmod, blocks);
    }),
  );
}

/** Where a kmod that is not loaded stands. `drivers`: those of built-in code that are bound to a device. */
export function presenceOf(name: string, names: KmodNames | undefined, drivers: ReadonlySet<string>): KmodPresence {
  if (names?.builtin.has(name) === true) return KmodPresence.KMOD_PRESENCE_BUILTIN;
  if (names?.onDisk.has(name) === true) return KmodPresence.KMOD_PRESENCE_ON_DISK;
  if (drivers.has(name)) return KmodPresence.KMOD_PRESENCE_BUILTIN;
  return names === undefined ? KmodPresence.KMOD_PRESENCE_UNSPECIFIED : KmodPresence.KMOD_PRESENCE_ABSENT;
}

function isListed(name: string, names: KmodNames | undefined): boolean {
  return names !== undefined && (names.builtin.has(name) || names.onDisk.has(name));
}

/** A driver that runs without a kmod is built in, whatever the lists of the tree call its code. */
async function builtinDrivers(files: HostFiles): Promise<Set<string>> {
  const devices = await observeDevices(files);
  if (devices.kind !== 'value') return new Set();
  return new Set(devices.value.devices.filter((device) => device.builtin).map((device) => kernelName(device.driver)));
}

function notLoaded(
  name: string,
  tree: TreeNames,
  drivers: ReadonlySet<string>,
  blocks: readonly KmodBlock[],
): KmodAnswer {
  const presence = presenceOf(name, tree.kind === 'value' ? tree.names : undefined, drivers);
  const reason =
    presence === KmodPresence.KMOD_PRESENCE_UNSPECIFIED && tree.kind === 'incapable'
      ? `not loaded; whether it is built in or on disk is not known: ${tree.reason}`
      : '';
  return { name, presence, loaded: undefined, holders: [], blocks: blocksOf(blocks, name), reason };
}

async function loadedAnswer(files: HostFiles, kmod: ProcModule, blocks: readonly KmodBlock[]): Promise<KmodAnswer> {
  return {
    name: kmod.name,
    presence: KmodPresence.KMOD_PRESENCE_LOADED,
    loaded: toLoadedKmod({ kmod, identity: await readSysModuleIdentity(files, kmod.name) }),
    ...(kmod.refcount === undefined ? {} : { refcount: kmod.refcount }),
    holders: [...kmod.users],
    blocks: blocksOf(blocks, kmod.name),
    reason: '',
  };
}
