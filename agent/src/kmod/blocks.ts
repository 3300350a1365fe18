import { BlockRung, type KmodBlock } from '@modfleet/proto';
import { aliasBlocks } from './alias-blocks.ts';
import { fnmatch } from './glob.ts';
import { foldAlias } from './index-parsers.ts';
import type { KmodIndex } from './kmod-index.ts';
import { kernelName } from './kernel-name.ts';
import { effectiveCommand, effectiveSoftdep, installCommand, linesOf, type ModprobeConfig } from './modprobe-config.ts';

/** What the rungs rest on. */
export interface BlockFacts {
  readonly config: ModprobeConfig;
  /** Undefined where there is no tree for the running kernel. */
  readonly index: Pick<KmodIndex, 'files' | 'builtin' | 'aliases' | 'builtinInfo'> | undefined;
  /** kernel.modules_disabled; undefined where the kernel has no such switch or it cannot be read. */
  readonly modulesDisabled: boolean | undefined;
}

const CMDLINE = '/proc/cmdline';
const MODULES_DISABLED = '/proc/sys/kernel/modules_disabled';

/**
 * Every rung that applies to any kmod, sorted by kmod, rung, file and line (design: "When is a kmod blocked?"). From modprobe's effective
 * result, never from text search: a line that another line hides is no rung.
 */
export function computeBlocks(facts: BlockFacts): KmodBlock[] {
  const blocks = [
    ...blacklistBlocks(facts.config),
    ...installBlocks(facts),
    ...aliasBlocks(facts.config, facts.index),
    ...cmdlineRungs(facts),
    ...(facts.modulesDisabled === true ? [modulesDisabledBlock()] : []),
  ];
  return sortBlocks(blocks);
}

/** In the order of the facet: by kmod, rung, file and line. */
export function sortBlocks(blocks: readonly KmodBlock[]): KmodBlock[] {
  return [...blocks].sort(
    (a, b) =>
      compare(a.kmod, b.kmod) ||
      a.rung - b.rung ||
      compare(a.file, b.file) ||
      a.line - b.line ||
      compare(a.detail, b.detail),
  );
}

/** The rungs that apply to one kmod: its own, and those that hold for all. */
export function blocksOf(blocks: readonly KmodBlock[], name: string): KmodBlock[] {
  return blocks.filter((block) => block.kmod === name || block.kmod === '');
}

function blacklistBlocks(config: ModprobeConfig): KmodBlock[] {
  return linesOf(config, 'blacklist').map((entry) => ({
    kmod: entry.subject,
    rung: BlockRung.BLOCK_RUNG_BLACKLIST,
    file: entry.file,
    line: entry.line,
    detail: `blacklist ${entry.subject}`,
  }));
}

function installBlocks(facts: BlockFacts): KmodBlock[] {
  return installTargets(facts).flatMap((kmod) => {
    const line = effectiveCommand(facts.config, 'install', kmod);
    if (line === undefined || installCommand(line.rest) !== 'blocks') return [];
    const hole = softdepHole(facts, kmod);
    const text = `install ${line.subject} ${line.rest}`;
    return [
      {
        kmod,
        rung: hole === undefined ? BlockRung.BLOCK_RUNG_INSTALL : BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE,
        file: line.file,
        line: line.line,
        detail: hole === undefined ? text : `${text} is ignored by modprobe: ${hole}`,
      },
    ];
  });
}

/** The kmods that any install line matches; a line with a pattern is spread over the kmods of the tree. */
function installTargets(facts: BlockFacts): string[] {
  const names = new Set<string>();
  for (const { subject } of linesOf(facts.config, 'install')) {
    if (!/[*?[\\]/.test(subject)) names.add(subject);
    else for (const name of facts.index?.files.keys() ?? []) if (fnmatch(subject, name)) names.add(name);
  }
  return [...names];
}

/**
 * kmod issue 446: with any soft dependency that resolves to a kmod, modprobe ignores the install line of the kmod itself
 * (libkmod-module.c: __kmod_module_fill_softdep sets ignorecmd). Returns what opens the hole, for people.
 */
function softdepHole(facts: BlockFacts, kmod: string): string | undefined {
  const softdep = effectiveSoftdep(facts.config, kmod);
  if (softdep === undefined) return undefined;
  const opens = [...softdep.pre, ...softdep.post].find((name) => resolves(facts, name));
  return opens === undefined
    ? undefined
    : `the softdep ${opens} (${softdep.entry.file}:${softdep.entry.line}) makes it void`;
}

/** Without a tree every softdep is taken to resolve: an install line is not called a block on a guess. */
function resolves({ index, config }: BlockFacts, name: string): boolean {
  if (index === undefined || index.files.has(name) || index.builtin.has(name)) return true;
  if (linesOf(config, 'alias').some((entry) => fnmatch(entry.subject, name))) return true;
  // An alias of built-in code counts too: modprobe has nothing to load for it, and still drops the install line (seen with kmod 30).
  return index.aliases.some((alias) => fnmatch(alias.pattern, name)) || isBuiltinAlias(index.builtinInfo, name);
}

function isBuiltinAlias(infos: KmodIndex['builtinInfo'], name: string): boolean {
  for (const info of infos.values()) {
    if (info.some(([key, value]) => key === 'alias' && fnmatch(foldAlias(value), name))) return true;
  }
  return false;
}

function cmdlineRungs({ config, index }: BlockFacts): KmodBlock[] {
  const { modprobeBlacklist, moduleBlacklist, initcallBlacklist } = config.cmdline;
  return [
    ...modprobeBlacklist.map((name) =>
      cmdlineBlock(name, BlockRung.BLOCK_RUNG_CMDLINE_BLACKLIST, `modprobe.blacklist=${name}`),
    ),
    ...moduleBlacklist
      // The kernel compares letter by letter with its own spelling: a dash never matches.
      .filter((name) => kernelName(name) === name)
      .map((name) => cmdlineBlock(name, BlockRung.BLOCK_RUNG_CMDLINE_KERNEL, `module_blacklist=${name}`)),
    ...initcallBlacklist.flatMap((routine) => {
      const name = kmodOfInitcall(routine, index?.builtin);
      return name === undefined
        ? []
        : [cmdlineBlock(name, BlockRung.BLOCK_RUNG_CMDLINE_INITCALL, `initcall_blacklist=${routine}`)];
    }),
  ];
}

/** The code that an init routine belongs to, by the names that the kernel's sources give such routines; undefined for others. */
function kmodOfInitcall(routine: string, builtin: ReadonlyMap<string, string> | undefined): string | undefined {
  const candidates = [/^(.+?)(?:_module|_mod|_driver)?_init$/, /^init_(.+)$/].map((shape) => shape.exec(routine)?.[1]);
  return candidates.find((name) => name !== undefined && builtin?.has(name));
}

function cmdlineBlock(kmod: string, rung: BlockRung, detail: string): KmodBlock {
  return { kmod, rung, file: CMDLINE, line: 0, detail };
}

function modulesDisabledBlock(): KmodBlock {
  return {
    kmod: '',
    rung: BlockRung.BLOCK_RUNG_MODULES_DISABLED,
    file: MODULES_DISABLED,
    line: 0,
    detail: 'kernel.modules_disabled=1: nothing loads or unloads until reboot',
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
