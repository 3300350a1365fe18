import { type Device, type ModulesLoadLine, type ReloadPath, UNKNOWN_PATH } from '@modfleet/proto';
import { foldAlias } from '../../kmod/index-parsers.ts';
import type { KmodIndex } from '../../kmod/kmod-index.ts';
import {
  blacklistLines,
  effectiveCommand,
  effectiveSoftdep,
  installCommand,
  linesOf,
  type ModprobeConfig,
} from '../../kmod/modprobe-config.ts';
import { aliasMatches } from './alias-lookup.ts';
import { isAskedForByName } from './names-asked-for.ts';

/** Shown of each kind; a NIC driver has hundreds of aliases and one line says it. */
const MAX_OF_KIND = 8;

/** What the paths are computed from. */
export interface ReloadFacts {
  readonly index: KmodIndex;
  readonly config: ModprobeConfig;
  readonly modulesLoad: readonly ModulesLoadLine[];
  /** Devices of the host, with their modalias. */
  readonly devices: readonly Pick<Device, 'bus' | 'address' | 'modalias'>[];
  readonly modulesDisabled: boolean | undefined;
  /** What could not be read of all this, one sentence each. */
  readonly unseen: readonly string[];
}

/**
 * Every open way by which a kmod that is unloaded now can load again without anybody asking for it by name: its aliases, devices that are
 * present, kmods that need or want it, and lists of kmods to load at boot. A way that a block closes is left out; what could not be read may be one
 * more. Pure.
 */
export function reloadPathsOf(kmod: string, facts: ReloadFacts): ReloadPath[] {
  const { index, config } = facts;
  if (isClosedByKernel(kmod, facts)) return [];
  // Of a file that cannot be read nobody knows whether it outdoes the block.
  if (isBlocked(kmod, facts)) return unknownPaths(config.unreadableFiles);
  const blacklisted = blacklistLines(config, kmod).length > 0 || config.cmdline.modprobeBlacklist.includes(kmod);
  const patterns = [
    ...index.aliases.filter((alias) => alias.kmod === kmod).map((alias) => alias.pattern),
    ...linesOf(config, 'alias')
      .filter((entry) => entry.rest === kmod)
      .map((entry) => entry.subject),
  ];
  const devices = facts.devices.filter(
    (device) => device.modalias !== '' && patterns.some((pattern) => aliasMatches(pattern, foldAlias(device.modalias))),
  );
  // A softdep line may name an alias (btrfs wants crc32c); a kmod of that name comes first.
  const isWanted = (name: string): boolean =>
    name === kmod ||
    (!index.files.has(name) && !index.builtin.has(name) && patterns.some((pattern) => aliasMatches(pattern, name)));
  const wanting = [
    ...new Set([...index.softdeps.keys(), ...linesOf(config, 'softdep').map((entry) => entry.subject)]),
  ].filter((name) => {
    const softdep = effectiveSoftdep(config, name) ?? index.softdeps.get(name);
    return name !== kmod && [...(softdep?.pre ?? []), ...(softdep?.post ?? [])].some(isWanted);
  });
  const needing = [...index.files.values()].filter((file) => file.depends.includes(kmod)).map((file) => file.name);
  const listed = facts.modulesLoad.filter(
    (line) => line.name === kmod || patterns.some((pattern) => aliasMatches(pattern, foldAlias(line.name))),
  );
  return [
    // A blacklist line keeps the kmod's own aliases from loading it, and modules-load.d too; nothing else.
    ...(blacklisted
      ? []
      : some(
          'device',
          devices.map((device) => `${device.bus} ${device.address} (${device.modalias})`),
        )),
    ...(blacklisted
      ? []
      : some(
          'modules_load',
          listed.map((line) => `${line.file}:${line.line}`),
        )),
    ...(blacklisted ? [] : some('alias', patterns)),
    ...(isAskedForByName(kmod) ? some('alias', [`${kmod} (the kernel asks for this name)`]) : []),
    ...some('dependant', needing),
    ...some('softdep', wanting),
    ...unknownPaths(facts.unseen),
  ];
}

/** Whether the kernel itself refuses the kmod, whoever asks. */
export function isClosedByKernel(
  kmod: string,
  { config, modulesDisabled }: Pick<ReloadFacts, 'config' | 'modulesDisabled'>,
): boolean {
  return modulesDisabled === true || config.cmdline.moduleBlacklist.includes(kmod);
}

/** Why it is not known whether there are more ways. */
export function unknownPaths(whys: readonly string[]): ReloadPath[] {
  return some(UNKNOWN_PATH, whys);
}

/** An install line that loads nothing, and that no soft dependency voids. */
function isBlocked(kmod: string, { config }: ReloadFacts): boolean {
  const install = effectiveCommand(config, 'install', kmod);
  if (install === undefined || installCommand(install.rest) !== 'blocks') return false;
  const softdep = effectiveSoftdep(config, kmod);
  return softdep === undefined || softdep.pre.length + softdep.post.length === 0;
}

function some(kind: string, values: readonly string[]): ReloadPath[] {
  const shown = [...new Set(values)].slice(0, MAX_OF_KIND).map((value) => ({ kind, value }));
  const more = new Set(values).size - shown.length;
  return more > 0 ? [...shown, { kind, value: `and ${more} more` }] : shown;
}
