import { assertNever } from '@modfleet/proto';
import type { Exec, ExecResult } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import { readSysParameters } from '../../kmod/sys-module.ts';
import type { HostSnapshot, KmodRecord, SettingState } from './host-snapshot.ts';
import { type Fields, parseList } from './ip-json.ts';
import { parseAddresses, parseLinks } from './parse-links.ts';
import { parseRoutes, parseRules } from './parse-routes.ts';

/** `ip` answers in milliseconds. A host that is short of processors needs its revert all the more, so it is given time. */
export const IP_TIMEOUT_MS = 30_000;

/** Settings that follow from others, or that reading changes. */
const NOT_KEPT = new Set(['stable_secret', 'mtu']);

/** This host cannot be looked at as a revert needs it. The message names what is missing. */
export class SnapshotError extends Error {
  readonly code = 'snapshot_failed';
  constructor(message: string) {
    super(message);
    this.name = 'SnapshotError';
  }
}

/**
 * The host now: links, addresses, routes, rules, settings of interfaces, and the kmods named. Reads only.
 *
 * @throws SnapshotError when iproute2 is missing or does not answer as JSON.
 */
export async function readSnapshot(files: HostFiles, exec: Exec, kmods: readonly string[]): Promise<HostSnapshot> {
  const first = await readLinksAndRoutes(files, exec, kmods);
  return {
    ...first,
    rules: [
      ...parseRules('inet', await ask(exec, ['-j', 'rule', 'show'])),
      ...parseRules('inet6', await ask(exec, ['-6', '-j', 'rule', 'show'])),
    ],
    settings: (await Promise.all(first.links.map((link) => readSettings(files, link.name)))).flat(),
  };
}

/**
 * The part of it that whatever runs the network brings back by itself; no rules and no settings.
 *
 * @throws SnapshotError as `readSnapshot`
 */
export async function readLinksAndRoutes(
  files: HostFiles,
  exec: Exec,
  kmods: readonly string[],
): Promise<HostSnapshot> {
  return {
    ...(await readLinks(files, exec, kmods)),
    routes: [
      ...parseRoutes('inet', await ask(exec, ['-j', 'route', 'show', 'table', 'all'])),
      ...parseRoutes('inet6', await ask(exec, ['-6', '-j', 'route', 'show', 'table', 'all'])),
    ],
  };
}

/**
 * Links, addresses and kmods, by one program.
 *
 * @throws SnapshotError as `readSnapshot`
 */
export async function readLinks(files: HostFiles, exec: Exec, kmods: readonly string[]): Promise<HostSnapshot> {
  const addresses = await ask(exec, ['-d', '-j', 'addr', 'show']);
  return {
    links: parseLinks(addresses),
    addresses: parseAddresses(addresses),
    routes: [],
    rules: [],
    settings: [],
    kmods: await readKmods(files, kmods),
  };
}

/**
 * Whether a snapshot could be taken.
 *
 * @throws SnapshotError as `readSnapshot`
 */
export async function checkSnapshot(exec: Exec): Promise<void> {
  await ask(exec, ['-j', 'rule', 'show']);
}

async function ask(exec: Exec, args: readonly string[]): Promise<Fields[]> {
  const result = await exec.run('ip', args, { timeoutMs: IP_TIMEOUT_MS });
  const list = result.ended.kind === 'exited' && result.ended.code === 0 ? parseList(result.stdout) : undefined;
  if (list !== undefined) return list;
  throw new SnapshotError(
    `what a revert needs to know of the network cannot be read: ip ${args.join(' ')} ${whyNot(result)}`,
  );
}

function whyNot({ ended, stderr }: ExecResult): string {
  switch (ended.kind) {
    case 'not_started':
      return `could not be started (${ended.reason}); install iproute2`;
    case 'timed_out':
      return `did not answer within ${IP_TIMEOUT_MS / 1000} s`;
    case 'signalled':
      return `was ended by ${ended.signal}`;
    case 'exited':
      return `gave no JSON (exit ${ended.code}: ${stderr.trim().split('\n')[0]}); an iproute2 with JSON (-j) is needed`;
    default:
      return assertNever(ended);
  }
}

/** Folders of settings that come and go with an interface (Documentation/networking/ip-sysctl.rst). */
const SETTING_FOLDERS = ['ipv4/conf', 'ipv6/conf', 'ipv4/neigh', 'ipv6/neigh'] as const;

async function readSettings(files: HostFiles, link: string): Promise<SettingState[]> {
  const found: SettingState[] = [];
  for (const kind of SETTING_FOLDERS) {
    const folder = `/proc/sys/net/${kind}/${link}`;
    for (const { name } of valueOf(await files.list(folder)) ?? []) {
      if (NOT_KEPT.has(name)) continue;
      const value = valueOf(await files.readText(`${folder}/${name}`))?.trim();
      if (value !== undefined) found.push({ path: `${folder}/${name}`, value });
    }
  }
  return found;
}

/** In the order in which they were loaded: /proc/modules has the newest first. */
export async function readKmods(files: HostFiles, wanted: readonly string[]): Promise<KmodRecord[]> {
  const listed = (valueOf(await readProcModules(files)) ?? []).map((one) => one.name).reverse();
  const loaded = listed.filter((name) => wanted.includes(name));
  const absent = wanted.filter((name) => !listed.includes(name));
  const records = await Promise.all(
    loaded.map(async (name): Promise<KmodRecord> => {
      const parameters = valueOf(await readSysParameters(files, name)) ?? [];
      return {
        name,
        loaded: true,
        parameters: parameters.flatMap((one): [string, string][] =>
          one.kind === 'value' ? [[one.name, one.value]] : [],
        ),
      };
    }),
  );
  return [...records, ...absent.map((name) => ({ name, loaded: false, parameters: [] }))];
}
