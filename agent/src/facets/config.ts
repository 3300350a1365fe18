import { Facet, type KmodBlock } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { computeBlocks, sortBlocks } from '../kmod/blocks.ts';
import { staleImageBlocks } from '../kmod/boot-image.ts';
import { readKmodIndex } from '../kmod/kmod-index.ts';
import { ModprobeFilesParser, readModprobeConfig, type ModprobeConfig } from '../kmod/modprobe-config.ts';
import { findModulesFolder, readKernelRelease } from '../kmod/modules-dir.ts';
import { indexStamp } from './available-digest.ts';
import { containerKind } from './host-kind.ts';
import { type KernelSwitches, readKernelSwitches } from './kernel-switches.ts';
import { readModulesLoad } from './modules-load.ts';
import type { Observation } from './observation.ts';

/** What blocks are made of, but the index itself. */
interface BlockSources {
  readonly release: string | undefined;
  readonly folder: string | undefined;
  readonly config: ModprobeConfig;
  readonly switches: KernelSwitches;
}

/** One look at the facet `config`, with nothing kept. */
export const observeConfig = (files: HostFiles): Promise<Observation<Facet.FACET_CONFIG>> =>
  new ConfigObserver(files).look();

/**
 * Observes the facet `config`: what would let a kmod load, or stop it. Lines of depmod's own modules.softdep are not in it (they are in
 * `available`); they count for the blocks. Incapable in a container: its /etc is not the host's.
 *
 * Every file is read at every look. What follows from them for each kmod is computed again only when one of them, or depmod's index, is another.
 */
export class ConfigObserver {
  readonly #files: HostFiles;
  readonly #parser = new ModprobeFilesParser();
  #known: { readonly sources: readonly unknown[]; readonly blocks: readonly KmodBlock[] } | undefined;

  constructor(files: HostFiles) {
    this.#files = files;
  }

  async look(): Promise<Observation<Facet.FACET_CONFIG>> {
    const files = this.#files;
    const container = await containerKind(files);
    if (container !== undefined) {
      return {
        kind: 'incapable',
        reason: `the agent sees the files of a container (${container}), not the host's: run it on the host, or mount the host's root and set "root"`,
      };
    }
    const release = valueOf(await readKernelRelease(files));
    const folder = release === undefined ? undefined : valueOf(await findModulesFolder(files, release));
    const [config, switches] = await Promise.all([
      readModprobeConfig(files, folder, this.#parser.parse),
      readKernelSwitches(files),
    ]);
    const modulesLoad = await readModulesLoad(files, config.kernelCmdline);
    const blocks = await this.#blocks({ release, folder, config, switches });
    const stale = release === undefined ? [] : await staleImageBlocks(files, release, blocks);
    return {
      kind: 'value',
      value: {
        modprobe: config.entries
          .filter((entry) => !entry.file.endsWith('/modules.softdep'))
          .map(({ keyword, subject, rest, file, line }) => ({
            keyword,
            arguments: `${subject} ${rest.replace(/\s+/g, ' ')}`.trim(),
            file,
            line,
          })),
        modulesLoad: [...modulesLoad.lines],
        kernelCmdline: config.kernelCmdline,
        ...defined('modulesDisabled', switches.modulesDisabled),
        ...defined('lockdown', switches.lockdown),
        ...defined('sigEnforce', switches.sigEnforce),
        ...defined('secureBoot', switches.secureBoot),
        blocks: sortBlocks([...blocks, ...stale]),
        unreadable: [
          ...config.unreadable,
          ...modulesLoad.unreadable,
          ...switches.unreadable,
          ...config.ignored.map((line) => `${line.file}:${line.line} is ignored by modprobe: ${line.why}`),
        ],
      },
    };
  }

  async #blocks({ release, folder, config, switches }: BlockSources): Promise<readonly KmodBlock[]> {
    const asksIndex = release !== undefined && folder !== undefined && needsIndex(config);
    const stamp = asksIndex ? await indexStamp(this.#files, folder) : '';
    const { kernelCmdline, entries } = config;
    const sources = [kernelCmdline, switches.modulesDisabled, release, folder, stamp, ...entries];
    if (this.#known !== undefined && areSame(this.#known.sources, sources)) return this.#known.blocks;
    const index = asksIndex ? valueOf(await readKmodIndex(this.#files, release)) : undefined;
    const blocks = computeBlocks({ config, index, modulesDisabled: switches.modulesDisabled });
    // What could not be read is tried again.
    this.#known = asksIndex && index === undefined ? undefined : { sources, blocks };
    return blocks;
  }
}

function areSame(before: readonly unknown[], now: readonly unknown[]): boolean {
  return before.length === now.length && before.every((item, at) => item === now[at]);
}

/** The index costs 20 to 40 ms: only install and alias lines and initcall_blacklist ask for it. */
function needsIndex(config: ModprobeConfig): boolean {
  const asking = config.entries.some(({ keyword }) => keyword === 'install' || keyword === 'alias');
  return asking || config.cmdline.initcallBlacklist.length > 0;
}

function defined<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}
