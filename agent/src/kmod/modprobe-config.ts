import type { HostFiles } from '../host/host-files.ts';
import { whyUnreadable } from '../host/read-outcome.ts';
import { fnmatch } from './glob.ts';
import { parseSoftdepArguments, type SoftDependencies } from './index-parsers.ts';
import { cmdlineBlocks, parseCmdline, type CmdlineBlocks } from './kernel-cmdline.ts';
import { type ConfigFile, MODPROBE_FOLDERS, readConfigFiles } from './modprobe-files.ts';
import {
  parseModprobeFile,
  type IgnoredLine,
  type ModprobeEntry,
  type ModprobeKeyword,
  type ParsedModprobeFile,
} from './modprobe-lines.ts';

/** modprobe's effective configuration: every line that counts, in the order in which it counts. */
export interface ModprobeConfig {
  /** Of modprobe.d and of depmod's modules.softdep, in reading order. */
  readonly entries: readonly ModprobeEntry[];
  readonly ignored: readonly IgnoredLine[];
  readonly cmdline: CmdlineBlocks;
  /** /proc/cmdline without its newline; empty when unreadable. */
  readonly kernelCmdline: string;
  /** One sentence each. */
  readonly unreadable: readonly string[];
  /** Those of them that are about files and folders of lines, and not about the kernel command line. */
  readonly unreadableFiles: readonly string[];
}

/** Reads the same files again and again: what says the same as the last time is the same object. */
export class ModprobeFilesParser {
  #known = new Map<string, { readonly text: string; readonly parsed: ParsedModprobeFile }>();

  readonly parse = (files: readonly ConfigFile[]): readonly ParsedModprobeFile[] => {
    const earlier = this.#known;
    this.#known = new Map(
      files.map((file) => {
        const known = earlier.get(file.path);
        return [file.path, known?.text === file.text ? known : { text: file.text, parsed: parseModprobeFile(file) }];
      }),
    );
    return [...this.#known.values()].map(({ parsed }) => parsed);
  };
}

/** A softdep line that counts, with where it stands. */
export interface EffectiveSoftdep extends SoftDependencies {
  readonly entry: ModprobeEntry;
}

/**
 * Reads what modprobe would read for this release. modules.softdep takes its place among the files by its name
 * (libkmod-config.c: kmod_config_new), so a line in `00-x.conf` counts before it and one in `zz.conf` does not.
 */
export async function readModprobeConfig(
  files: HostFiles,
  modulesFolder: string | undefined,
  parseFiles = (found: readonly ConfigFile[]): readonly ParsedModprobeFile[] => found.map(parseModprobeFile),
): Promise<ModprobeConfig> {
  const softdep = modulesFolder === undefined ? [] : [`${modulesFolder}/modules.softdep`];
  const [config, cmdline] = await Promise.all([
    readConfigFiles(files, MODPROBE_FOLDERS, softdep),
    files.readText('/proc/cmdline'),
  ]);
  const parsed = parseFiles(config.files);
  const kernelCmdline = cmdline.kind === 'ok' ? cmdline.value.trim() : '';
  return {
    entries: parsed.flatMap((file) => file.entries),
    ignored: parsed.flatMap((file) => file.ignored),
    cmdline: cmdlineBlocks(parseCmdline(kernelCmdline)),
    kernelCmdline,
    unreadableFiles: config.unreadable,
    unreadable:
      cmdline.kind === 'ok' ? config.unreadable : [...config.unreadable, whyUnreadable('/proc/cmdline', cmdline)],
  };
}

/** The `install` or `remove` line that counts for a name: the first whose pattern matches (libkmod-module.c). */
export function effectiveCommand(
  config: ModprobeConfig,
  keyword: 'install' | 'remove',
  name: string,
): ModprobeEntry | undefined {
  return linesOf(config, keyword).find((entry) => fnmatch(entry.subject, name));
}

/** The `softdep` line that counts for a name: the first that matches, also one that lists nothing. */
export function effectiveSoftdep(config: ModprobeConfig, name: string): EffectiveSoftdep | undefined {
  const entry = linesOf(config, 'softdep').find((line) => fnmatch(line.subject, name));
  return entry === undefined ? undefined : { ...parseSoftdepArguments(entry.rest), entry };
}

/** The `blacklist` lines of a name; names only, no patterns. */
export function blacklistLines(config: ModprobeConfig, name: string): readonly ModprobeEntry[] {
  return linesOf(config, 'blacklist').filter((entry) => entry.subject === name);
}

/** Every line of one keyword, in reading order. */
export function linesOf(config: ModprobeConfig, keyword: ModprobeKeyword): readonly ModprobeEntry[] {
  return config.entries.filter((entry) => entry.keyword === keyword);
}

/** What an install command does, as far as its text says for sure. */
export type InstallCommand = 'blocks' | 'unknown';

/**
 * `/bin/false`, `/bin/true`, `:` and `exit N`, alone or with arguments, load nothing; every other command may load the kmod, by
 * `modprobe -i` or `insmod` or in a script.
 */
export function installCommand(command: string): InstallCommand {
  const plain = command.replace(/\s+#.*$/, '').trim();
  if (/[;&|`$<>(){}\n]/.test(plain)) return 'unknown';
  return /^(?:(?:\/usr)?\/bin\/)?(?:true|false)(?:\s|$)|^:(?:\s|$)|^exit(?:\s+\d+)?$/.test(plain)
    ? 'blocks'
    : 'unknown';
}
