import { Verb } from '@modfleet/proto';
import type { KmodIndex } from '../../kmod/kmod-index.ts';
import {
  blacklistLines,
  effectiveCommand,
  installCommand,
  linesOf,
  type ModprobeConfig,
} from '../../kmod/modprobe-config.ts';
import type { ModprobeEntry } from '../../kmod/modprobe-lines.ts';
import { asksForLoad, type ConfigObstacle, type Question, removes, type TreeFacts } from '../findings/facts.ts';
import { aliasMatches } from './alias-lookup.ts';

/** What configuration is asked about. */
export interface ObstacleContext {
  readonly question: Question;
  readonly config: ModprobeConfig;
  /** Undefined: there is none to read. */
  readonly index: KmodIndex | undefined;
  readonly loaded: boolean;
  readonly tree: TreeFacts;
}

/** Configuration that stands in the way of a step of the action. */
export function obstaclesOf(context: ObstacleContext): ConfigObstacle[] {
  const { question, config, loaded } = context;
  const { verb, kmod } = question;
  const isRemoval = removes(question) && loaded;
  const remove = isRemoval ? effectiveCommand(config, 'remove', kmod) : undefined;
  const isLoad = verb === Verb.VERB_RELOAD || (verb === Verb.VERB_LOAD && !loaded);
  return [
    ...(remove === undefined ? [] : [{ kind: 'custom', kmod, removes: true, where: where(remove) } as const]),
    ...(isRemoval && !isLoad ? unreadable(kmod, config.unreadableFiles) : []),
    ...(isLoad ? againstLoad(context) : []),
  ];
}

/** Configuration that stands in the way of the revert of an unload's confirm window, which loads the kmod again. */
export function reloadObstaclesOf(context: ObstacleContext): ConfigObstacle[] {
  const { question, loaded } = context;
  return question.verb === Verb.VERB_UNLOAD && loaded && asksForLoad(question) ? againstLoad(context) : [];
}

/**
 * An install line counts even where modprobe would ignore it (kmod issue 446: any soft dependency voids it): somebody wrote that this kmod is not to
 * be loaded.
 */
function againstLoad({ question: { kmod }, config, index, tree }: ObstacleContext): ConfigObstacle[] {
  if (index !== undefined && !index.files.has(kmod)) return [];
  const found = unreadable(kmod, config.unreadable);
  for (const name of [kmod, ...tree.dependencies.map((file) => file.name)])
    found.push(...redirects(config, index, name), ...loadObstacles(config, name));
  // A soft dependency that does not load is no obstacle; one that runs a command, or loads another kmod, does so unseen.
  for (const name of tree.softDependencies) {
    const unseen = [...redirects(config, index, name), ...loadObstacles(config, name)];
    found.push(...unseen.filter(({ kind }) => kind === 'custom' || kind === 'redirect'));
  }
  return found;
}

/**
 * modprobe passes over a file that it cannot read without a word (libkmod-config.c: kmod_config_new), and may be able to read what we are not: what
 * would be run or stopped is not known.
 */
function unreadable(kmod: string, whys: readonly string[]): ConfigObstacle[] {
  return whys.map((where) => ({ kind: 'unreadable', kmod, where }));
}

/**
 * `alias NAME OTHER` in modprobe.d comes before the kmod of that name (seen with kmod 30): modprobe loads OTHER instead, and nothing, with exit 0,
 * where there is no OTHER (`alias NAME off`).
 */
function redirects(config: ModprobeConfig, index: KmodIndex | undefined, kmod: string): ConfigObstacle[] {
  const lines = linesOf(config, 'alias').filter((entry) => aliasMatches(entry.subject, kmod) && entry.rest !== kmod);
  return lines.map((line) => {
    const leadsToKmod = index === undefined || index.files.has(line.rest) || index.builtin.has(line.rest);
    return { kind: leadsToKmod ? 'redirect' : 'block', kmod, where: where(line) };
  });
}

function loadObstacles(config: ModprobeConfig, kmod: string): ConfigObstacle[] {
  const install = effectiveCommand(config, 'install', kmod);
  const blacklisted = blacklistLines(config, kmod);
  return [
    ...(config.cmdline.moduleBlacklist.includes(kmod)
      ? [{ kind: 'kernel_blacklist', kmod, where: `/proc/cmdline: module_blacklist=${kmod}` } as const]
      : []),
    ...(install === undefined
      ? []
      : [
          {
            kind: installCommand(install.rest) === 'blocks' ? 'block' : 'custom',
            kmod,
            where: where(install),
          } as const,
        ]),
    ...blacklisted.map((line) => ({ kind: 'soft_blacklist', kmod, where: where(line) }) as const),
    ...(config.cmdline.modprobeBlacklist.includes(kmod)
      ? [{ kind: 'soft_blacklist', kmod, where: `/proc/cmdline: modprobe.blacklist=${kmod}` } as const]
      : []),
  ];
}

function where(entry: ModprobeEntry): string {
  return `${entry.file}:${entry.line}: ${entry.keyword} ${entry.subject} ${entry.rest}`.trimEnd();
}
