import { readKernelSwitches } from '../../facets/kernel-switches.ts';
import { containerKind, whyNoLoadedKmods } from '../../facets/host-kind.ts';
import { readCapabilities } from '../../host/capabilities.ts';
import type { ReadOutcome } from '../../host/host-files.ts';
import { valueOf, whyUnreadable } from '../../host/read-outcome.ts';
import { foldAlias } from '../../kmod/index-parsers.ts';
import { type KmodIndex, readKmodIndex } from '../../kmod/kmod-index.ts';
import { readModprobeConfig } from '../../kmod/modprobe-config.ts';
import { readKernelRelease } from '../../kmod/modules-dir.ts';
import { type ProcModule, readProcModules } from '../../kmod/proc-modules.ts';
import type { KernelFacts } from '../findings/facts.ts';
import { blockFolders, supportsOfBlock } from '../protection/device-chain.ts';
import { peersOfBlock } from '../protection/network-peers.ts';
import { readHiddenCards } from '../protection/hidden-cards.ts';
import { readInterfaces } from '../protection/interfaces.ts';
import { readMounts } from '../protection/mounts.ts';
import { readForeignMounts, readForeignNetworks } from '../protection/namespaces.ts';
import { carryingInterfaces } from '../protection/carrying.ts';
import { supportsOfPeersBy } from '../protection/peer-ways.ts';
import type { BlockDevice } from '../protection/stakes.ts';
import { readStorageUses, type ResolveAlias } from '../protection/storage.ts';
import { readArmedWatchdogs } from '../protection/watchdogs.ts';
import { readDmTables } from '../usage/dm-tables.ts';
import { readNodesByDriver } from '../usage/open-devices.ts';
import { readProcesses } from '../usage/processes.ts';
import { readToolLists } from '../usage/tool-lists.ts';
import { kmodsOfAlias } from './alias-lookup.ts';
import type { FactSources } from './collect-facts.ts';

/**
 * The host at one moment: everything that a verdict rests on and that is the same for every kmod. Each part is read when it is first asked for, and
 * once. A view that is kept grows old: one action, one view.
 */
export class HostView {
  readonly sources: FactSources;

  constructor(sources: FactSources) {
    this.sources = sources;
  }

  readonly release = once(async () => valueOf(await readKernelRelease(this.sources.files)) ?? '');

  readonly listed = once((): Promise<ReadOutcome<readonly ProcModule[]>> => readProcModules(this.sources.files));

  readonly modules = once(async () => valueOf(await this.listed()) ?? []);

  /** Undefined outcome: the release is not known. */
  readonly indexOutcome = once(async () => {
    const release = await this.release();
    return release === '' ? undefined : readKmodIndex(this.sources.files, release);
  });

  readonly index = once(async (): Promise<KmodIndex | undefined> => {
    const outcome = await this.indexOutcome();
    return outcome === undefined ? undefined : valueOf(outcome);
  });

  /** Why there is no index; undefined when there is one. */
  readonly indexMissing = once(async () => {
    const outcome = await this.indexOutcome();
    if (outcome === undefined) return 'the kernel release cannot be read';
    return outcome.kind === 'ok' ? undefined : whyUnreadable(`/lib/modules/${await this.release()}`, outcome);
  });

  readonly config = once(async () => readModprobeConfig(this.sources.files, (await this.index())?.folder));

  readonly aliases = once(async () => (await this.index())?.aliases ?? []);

  /** The kmods behind an alias; each alias is looked up once, as a table has thousands of patterns. */
  readonly resolver = once(async (): Promise<ResolveAlias> => {
    const aliases = await this.aliases();
    const known = new Map<string, readonly string[]>();
    return (alias) => {
      const found = known.get(alias) ?? kmodsOfAlias(aliases, foldAlias(alias));
      known.set(alias, found);
      return found;
    };
  });

  readonly processes = once(() => readProcesses(this.sources.files));

  readonly nodesByDriver = once(() => readNodesByDriver(this.sources.files));

  readonly dmTables = once(() => readDmTables(this.sources.files, this.sources.exec));

  readonly tools = once(() => readToolLists(this.sources.exec));

  readonly supportsOfPeer = once(async () =>
    supportsOfPeersBy(this.sources.files, this.sources.exec, await this.interfaces()),
  );

  readonly storage = once(async () => {
    const { files, ownPaths } = this.sources;
    return readStorageUses({
      files,
      resolve: await this.resolver(),
      ownPaths,
      tables: await this.dmTables(),
      elsewhere: await readForeignMounts(files, await this.processes()),
      supportsOfPeer: await this.supportsOfPeer(),
    });
  });

  readonly blockDevices = once(async (): Promise<readonly BlockDevice[]> => {
    const { files } = this.sources;
    const [tables, supportsOfPeer] = [await this.dmTables(), await this.supportsOfPeer()];
    const names = (valueOf(await files.list('/sys/block')) ?? []).map((entry) => entry.name);
    return Promise.all(
      names.map(async (name) => {
        const folder = `/sys/block/${name}`;
        const ways = (await peersOfBlock(files, await blockFolders(files, folder))).map(supportsOfPeer);
        return {
          name,
          supports: [...(await supportsOfBlock(files, folder, tables)), ...(await Promise.all(ways)).flat()],
        };
      }),
    );
  });

  readonly interfaces = once(async () => {
    const { files, exec } = this.sources;
    return readInterfaces({
      files,
      exec,
      resolve: await this.resolver(),
      indexed: (await this.index()) !== undefined,
      modules: await this.modules(),
    });
  });

  readonly hiddenCards = once(async () => readHiddenCards(this.sources.files, await this.modules()));

  readonly serverRoute = once(() => Promise.resolve(this.sources.serverRoute()));

  readonly carrying = once(async () =>
    carryingInterfaces(this.sources.files, await this.interfaces(), await this.serverRoute()),
  );

  readonly foreignNetworks = once(async () => {
    const { files } = this.sources;
    return readForeignNetworks(files, await this.processes(), valueOf(await readMounts(files)) ?? []);
  });

  readonly watchdogs = once(() => readArmedWatchdogs(this.sources.files));

  readonly kernel = once(async (): Promise<KernelFacts> => {
    const { files } = this.sources;
    const [listed, modules] = [await this.listed(), await this.modules()];
    const switches = await readKernelSwitches(files);
    const tainted = valueOf(await files.readText('/proc/sys/kernel/tainted'));
    return {
      release: await this.release(),
      noModules: listed.kind === 'ok' ? undefined : await whyNoLoadedKmods(files, listed),
      modulesDisabled: switches.modulesDisabled,
      lockdown: switches.lockdown,
      sigEnforce: switches.sigEnforce,
      taint: tainted === undefined ? undefined : Number(tainted.trim()),
      canUnload: modules.length === 0 || modules.some((module) => module.refcount !== undefined),
      mayChange: this.sources.mayChange ?? (await readCapabilities(files))?.sysModule,
      container: await containerKind(files),
    };
  });
}

/** Reads at the first call, and gives the same answer ever after. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= read());
}
