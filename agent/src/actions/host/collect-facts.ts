import { KmodState, Verb } from '@modfleet/proto';
import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { readRuntimeParameters } from '../../kmod/runtime-parameters.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { KernelState } from '../action-host.ts';
import { type ActionFacts, asksForLoad, type LoadedFacts, type Question, removes } from '../findings/facts.ts';
import type { ServerRoute } from '../protection/routes.ts';
import { readStakes } from '../protection/stakes.ts';
import { type OpenDevice, readOpenDevices, unseenHolders } from '../usage/open-devices.ts';
import { ruleBlindness } from '../usage/rule-users.ts';
import type { ToolLists } from '../usage/tool-lists.ts';
import { readUsers } from '../usage/users.ts';
import { HostView } from './host-view.ts';
import { modulesAfter } from './modules-after.ts';
import { obstaclesOf, reloadObstaclesOf } from './obstacles.ts';
import { readPersistence } from './persistence.ts';
import { NO_TREE, treeFacts } from './tree-facts.ts';

/** What facts are collected from. */
export interface FactSources {
  readonly files: HostFiles;
  readonly exec: Exec;
  /** The agent's own state folder and program: what they lie on is protected. */
  readonly ownPaths: readonly string[];
  readonly serverRoute: () => ServerRoute | undefined;
  /** Whether whoever would act may; this process's own capability when undefined. */
  readonly mayChange?: boolean | undefined;
}

/** What was read. */
export interface Collected {
  readonly facts: ActionFacts;
}

/**
 * Reads all that a verdict rests on; now, unless a view of this very moment is given. `earlier`: what will have been done before it in the same action.
 * Touches nothing.
 */
export async function collectFacts(
  sources: FactSources,
  question: Question,
  died: string | undefined,
  view: HostView = new HostView(sources),
  earlier: readonly Question[] = [],
): Promise<Collected> {
  const { files } = sources;
  const [modules, index, config, kernel] = [
    modulesAfter(await view.modules(), earlier),
    await view.index(),
    await view.config(),
    await view.kernel(),
  ];
  const loaded = await loadedFacts(files, modules, question.kmod);
  const tree =
    index === undefined
      ? { ...NO_TREE, missing: await view.indexMissing() }
      : await treeFacts(files, index, config, modules, question);
  const isAtStake = removes(question) && (loaded !== undefined || tree.builtin);
  const stake = isAtStake ? await usageFacts(view, question.kmod, loaded) : NOTHING_AT_STAKE;
  const configured = { question, config, index, loaded: loaded !== undefined, tree };
  const facts: ActionFacts = {
    kernel,
    loaded,
    tree,
    runtimeParameters:
      question.verb === Verb.VERB_SET_PARAMETERS ? await readRuntimeParameters(files, question.kmod) : new Map(),
    persistence: isLasting(question) ? await readPersistence(files, question.kmod) : undefined,
    obstacles: obstaclesOf(configured),
    reloadObstacles: reloadObstaclesOf(configured),
    ...stake,
    missingPrograms: missingPrograms(sources, question),
    died,
  };
  return { facts };
}

const NOTHING_AT_STAKE = { stakes: [], users: [], unseen: [] } as const;

async function usageFacts(view: HostView, kmod: string, loaded: LoadedFacts | undefined) {
  const { files } = view.sources;
  const [aliases, processes, storage, interfaces] = [
    await view.aliases(),
    await view.processes(),
    await view.storage(),
    await view.interfaces(),
  ];
  const nodesByDriver = await view.nodesByDriver();
  const openDevices = await readOpenDevices(files, kmod, aliases, nodesByDriver, processes);
  const stakes = await readStakes({
    files,
    kmod,
    modules: await view.modules(),
    aliases,
    indexed: (await view.index()) !== undefined,
    storage,
    blockDevices: await view.blockDevices(),
    interfaces,
    carrying: await view.carrying(),
    serverRoute: await view.serverRoute(),
    foreignNetworks: await view.foreignNetworks(),
    hiddenCards: await view.hiddenCards(),
    watchdogs: await view.watchdogs(),
    openDevices,
    tools: view.tools,
  });
  // Who holds it is asked where somebody does: it is a walk through every open file.
  if (loaded !== undefined && loaded.refcount !== 0) return { stakes, ...(await usersOf(view, kmod, openDevices)) };
  const unseen = await unseenHolders({ files, kmod, aliases, nodesByDriver, processes });
  return { stakes: [...stakes, ...unseen], users: [], unseen: [] };
}

async function usersOf(view: HostView, kmod: string, openDevices: readonly OpenDevice[]) {
  const [processes, storage, tables, tools] = [
    await view.processes(),
    await view.storage(),
    await view.dmTables(),
    await view.tools(),
  ];
  const users = await readUsers({
    files: view.sources.files,
    kmod,
    aliases: await view.aliases(),
    storage: storage.uses,
    interfaces: await view.interfaces(),
    openDevices,
    processes,
    tables,
    tools,
  });
  const unseen = [
    ...storage.unseen,
    ...(processes.allSeen ? [] : ['open files of other users: not visible without root']),
    ...(kmod.startsWith('dm_') && tables === undefined
      ? ['device-mapper tables: not visible without dmsetup (and root)']
      : []),
    ...ruleBlindness(kmod, tools),
  ];
  return { users, unseen: users.length > 0 ? unseen : [...unseen, ...nobodyFound(tools)] };
}

/** Where nobody was found, what was not asked decides how much that says. */
function nobodyFound({ nftTables, qdiscs, xfrmStates }: ToolLists): string[] {
  const tools = [nftTables ?? 'nft', qdiscs ?? 'tc', xfrmStates ?? 'ip'].filter((one) => typeof one === 'string');
  return tools.length === 0
    ? ['who holds it: no mount, device, open file, socket or rule was found']
    : [`packet filter rules, traffic control and xfrm: not visible without ${tools.join(', ')}`];
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

function isLasting({ verb }: Question): boolean {
  return verb === 'persist' || verb === 'unpersist';
}

function missingPrograms({ exec, files }: FactSources, question: Question): string[] {
  // A captured root tree has no programs to ask for.
  if (files.root !== '/') return [];
  const needed = [
    ...(asksForLoad(question) ? (['modprobe'] as const) : []),
    ...(removes(question) ? (['rmmod'] as const) : []),
  ];
  return needed.filter((program) => exec.find(program) === undefined);
}
