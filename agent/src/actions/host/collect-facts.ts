import { KmodState, Verb } from '@modfleet/proto';
import type { Exec } from '../../exec/exec.ts';
import { containerKind, whyNoLoadedKmods } from '../../facets/host-kind.ts';
import { readKernelSwitches } from '../../facets/kernel-switches.ts';
import { readCapabilities } from '../../host/capabilities.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf, whyUnreadable } from '../../host/read-outcome.ts';
import { foldAlias } from '../../kmod/index-parsers.ts';
import { type KmodIndex, readKmodIndex } from '../../kmod/kmod-index.ts';
import { type ModprobeConfig, readModprobeConfig } from '../../kmod/modprobe-config.ts';
import { readKernelRelease } from '../../kmod/modules-dir.ts';
import { type ProcModule, readProcModules } from '../../kmod/proc-modules.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { KernelState } from '../action-host.ts';
import type { ActionFacts, KernelFacts, LoadedFacts, Question } from '../findings/facts.ts';
import type { ServerRoute } from '../protection/routes.ts';
import { readStorageUses } from '../protection/storage.ts';
import { readStakes } from '../protection/stakes.ts';
import { readOpenDevices } from '../usage/open-devices.ts';
import { readUsers } from '../usage/users.ts';
import { evidence } from '../findings/facts.ts';
import { kmodsOfAlias } from './alias-lookup.ts';
import { obstaclesOf } from './obstacles.ts';
import { NO_TREE, treeFacts } from './tree-facts.ts';

/** What facts are collected from. */
export interface FactSources {
  readonly files: HostFiles;
  readonly exec: Exec;
  /** The agent's own state folder and program: what they lie on is protected. */
  readonly ownPaths: readonly string[];
  readonly serverRoute: () => ServerRoute | undefined;
}

/** The facts, and what else was read for them. */
export interface Collected {
  readonly facts: ActionFacts;
  readonly index: KmodIndex | undefined;
  readonly config: ModprobeConfig;
}

/** Reads, now, all that a verdict rests on. Touches nothing. */
export async function collectFacts(
  sources: FactSources,
  question: Question,
  died: string | undefined,
): Promise<Collected> {
  const { files } = sources;
  const release = valueOf(await readKernelRelease(files)) ?? '';
  const listed = await readProcModules(files);
  const modules = valueOf(listed) ?? [];
  const index = release === '' ? undefined : await readKmodIndex(files, release);
  const tree = index?.kind === 'ok' ? index.value : undefined;
  const config = await readModprobeConfig(files, tree?.folder);
  const kernel = await kernelFacts(
    files,
    release,
    modules,
    listed.kind === 'ok' ? undefined : await whyNoLoadedKmods(files, listed),
  );
  const loaded = await loadedFacts(files, modules, question.kmod);
  const missing =
    index === undefined
      ? 'the kernel release cannot be read'
      : index.kind === 'ok'
        ? undefined
        : whyUnreadable(`/lib/modules/${release}`, index);
  const treeOf =
    tree === undefined ? { ...NO_TREE, missing } : await treeFacts(files, tree, config, modules, question, kernel);
  const removes = question.verb !== Verb.VERB_LOAD && (loaded !== undefined || treeOf.builtin);
  const stake = removes ? await usageFacts(sources, question.kmod, modules, tree) : NOTHING_AT_STAKE;
  const facts: ActionFacts = {
    kernel,
    loaded,
    tree: treeOf,
    obstacles: obstaclesOf(question, config, tree, loaded !== undefined, treeOf),
    ...stake,
    missingPrograms: missingPrograms(sources, question),
    died,
  };
  return { facts, index: tree, config };
}

const NOTHING_AT_STAKE = { stakes: [], users: [], unseen: [] } as const;

async function usageFacts(
  sources: FactSources,
  kmod: string,
  modules: readonly ProcModule[],
  index: KmodIndex | undefined,
) {
  const { files, exec } = sources;
  const aliases = index?.aliases ?? [];
  const resolve = (alias: string): string[] => kmodsOfAlias(aliases, foldAlias(alias));
  const storage = await readStorageUses(files, resolve, sources.ownPaths);
  const openDevices = await readOpenDevices(files, kmod, aliases);
  const stakes = await readStakes({
    files,
    exec,
    kmod,
    modules,
    aliases,
    resolve,
    storage,
    openDevices,
    serverRoute: sources.serverRoute(),
  });
  const users = await readUsers(files, kmod, storage.uses);
  const openBy = openDevices.open.map((one) => evidence('process', `${one.pid} (${one.command}) has ${one.node} open`));
  return {
    stakes,
    users: [...users, ...openBy],
    unseen: unseenUsers(storage.unseen, openDevices.allSeen, users.length + openBy.length),
  };
}

function unseenUsers(storage: readonly string[], allSeen: boolean, shown: number): string[] {
  return [
    ...storage,
    ...(allSeen ? [] : ['open devices of other users: not visible without root']),
    ...(shown > 0 ? [] : ['sockets, nftables rules and traffic control: not visible without ss, nft and tc']),
  ];
}

async function kernelFacts(
  files: HostFiles,
  release: string,
  modules: readonly ProcModule[],
  noModules: string | undefined,
): Promise<KernelFacts> {
  const switches = await readKernelSwitches(files);
  const tainted = valueOf(await files.readText('/proc/sys/kernel/tainted'));
  return {
    release,
    noModules,
    modulesDisabled: switches.modulesDisabled,
    lockdown: switches.lockdown,
    sigEnforce: switches.sigEnforce,
    taint: tainted === undefined ? undefined : Number(tainted.trim()),
    canUnload: modules.length === 0 || modules.some((module) => module.refcount !== undefined),
    mayChange: (await readCapabilities(files))?.sysModule,
    container: await containerKind(files),
  };
}

async function loadedFacts(
  files: HostFiles,
  modules: readonly ProcModule[],
  kmod: string,
): Promise<LoadedFacts | undefined> {
  const module = modules.find((one) => one.name === kmod);
  if (module === undefined) return undefined;
  const parameters = valueOf(await readSysParameters(files, kmod)) ?? [];
  return {
    state: kernelStateOf(module),
    refcount: module.refcount,
    users: module.users,
    permanent: module.permanent,
    parameters: new Map(
      parameters.flatMap((one): [string, string][] => (one.kind === 'value' ? [[one.name, one.value]] : [])),
    ),
    hiddenParameters: parameters.flatMap((one) => (one.kind === 'unreadable' ? [one.name] : [])),
  };
}

/** The state of a line of /proc/modules; a reference count of -1 is an exit under way, whatever the word says. */
export function kernelStateOf(module: ProcModule): KernelState {
  if (module.state === KmodState.KMOD_STATE_UNLOADING || module.refcount === -1) return 'unloading';
  return module.state === KmodState.KMOD_STATE_LOADING ? 'loading' : 'live';
}

function missingPrograms({ exec, files }: FactSources, { verb }: Question): string[] {
  // A captured root tree has no programs to ask for.
  if (files.root !== '/') return [];
  const needed =
    verb === Verb.VERB_LOAD
      ? (['modprobe'] as const)
      : verb === Verb.VERB_UNLOAD
        ? (['rmmod'] as const)
        : (['modprobe', 'rmmod'] as const);
  return needed.filter((program) => exec.find(program) === undefined);
}
