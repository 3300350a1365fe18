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
import type { ConfigObstacle, Question, TreeFacts } from '../findings/facts.ts';
import { aliasMatches } from './alias-lookup.ts';

/**
 * Configuration that stands in the way of a step. An install line counts even where modprobe would ignore it (kmod issue 446: any soft
 * dependency voids it): somebody wrote that this kmod is not to be loaded.
 */
export function obstaclesOf(
  { verb, kmod }: Question,
  config: ModprobeConfig,
  index: KmodIndex | undefined,
  loaded: boolean,
  tree: TreeFacts,
): ConfigObstacle[] {
  const found: ConfigObstacle[] = [];
  const remove = verb !== Verb.VERB_LOAD && loaded ? effectiveCommand(config, 'remove', kmod) : undefined;
  if (remove !== undefined) found.push({ kind: 'custom', kmod, where: where(remove) });
  const isLoad = verb === Verb.VERB_RELOAD || (verb === Verb.VERB_LOAD && !loaded);
  if (!isLoad || (index !== undefined && !index.files.has(kmod))) return found;
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
