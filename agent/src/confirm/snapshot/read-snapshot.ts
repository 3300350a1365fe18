import { assertNever } from '@modfleet/proto';
import type { Exec, ExecResult } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { Family, HostSnapshot, LineState, SettingState } from './host-snapshot.ts';
import { type Fields, parseList } from '../../exec/ip-json.ts';
import { parseAddresses } from './parse-addresses.ts';
import { parseLinks } from './parse-links.ts';
import { hasMetrics, type Locks, lockedMetrics, parseRoutes } from './parse-routes.ts';
import { parseRules } from './parse-rules.ts';
import { readKmods } from './read-kmods.ts';

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

const FLAGS = { inet: '-4', inet6: '-6' } as const satisfies Record<Family, string>;

/** What one program shows of the network. */
export type Part = 'links' | `${'routes' | 'rules'} ${Family}`;

const LINES: readonly Part[] = ['routes inet', 'routes inet6', 'rules inet', 'rules inet6'];
export const ALL_PARTS: readonly Part[] = ['links', ...LINES];

/** What could be seen, and why the rest could not: those parts are empty. */
export interface Look {
  readonly now: HostSnapshot;
  readonly unread: ReadonlyMap<Part, string>;
}

/** The two doors that a look goes through. */
export interface LookPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
}

/**
 * The host now: links, addresses, routes, rules, settings of interfaces, and the kmods named. Reads only.
 *
 * @throws SnapshotError when iproute2 is missing or does not answer as JSON.
 */
export async function readSnapshot(files: HostFiles, exec: Exec, kmods: readonly string[]): Promise<HostSnapshot> {
  const { now, unread } = await lookAtHost({ files, exec }, kmods, ALL_PARTS);
  for (const why of unread.values()) throw new SnapshotError(why);
  return { ...now, settings: await readSettings(files, now) };
}

/**
 * Whether a snapshot could be taken: all that can fail of it is read.
 *
 * @throws SnapshotError as `readSnapshot`
 */
export async function checkSnapshot(files: HostFiles, exec: Exec): Promise<void> {
  const { unread } = await lookAtHost({ files, exec }, [], ALL_PARTS);
  for (const why of unread.values()) throw new SnapshotError(why);
}

/** These parts of the host, and the kmods named; no settings. What cannot be read is said, and the rest is there. */
export async function lookAtHost(ports: LookPorts, kmods: readonly string[], parts: readonly Part[]): Promise<Look> {
  const unread = new Map<Part, string>();
  const orEmpty = async <T>(part: Part, read: () => Promise<T[]>): Promise<T[]> => {
    if (!parts.includes(part)) return [];
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      unread.set(part, error.message);
      return [];
    }
  };
  const links = await orEmpty('links', () => ask(ports, ['-d', '-j', 'addr', 'show']));
  const now = {
    links: parseLinks(links),
    addresses: parseAddresses(links),
    routes: [
      ...(await orEmpty('routes inet', () => readRoutes(ports, 'inet'))),
      ...(await orEmpty('routes inet6', () => readRoutes(ports, 'inet6'))),
    ],
    rules: [
      ...(await orEmpty('rules inet', () => readRules(ports, 'inet'))),
      ...(await orEmpty('rules inet6', () => readRules(ports, 'inet6'))),
    ],
    settings: [],
    kmods: await readKmods(ports.files, kmods),
  };
  return { now, unread };
}

/** The part of a snapshot that a look can be compared with. Pure. */
export function seenOf(before: HostSnapshot, unread: ReadonlySet<Part>): HostSnapshot {
  const lines = (kind: 'routes' | 'rules'): LineState[] =>
    before[kind].filter(({ family }) => !unread.has(`${kind} ${family}`));
  return {
    ...before,
    ...(unread.has('links') ? { links: [], addresses: [] } : {}),
    routes: lines('routes'),
    rules: lines('rules'),
  };
}

/** The settings of these links. */
export async function readSettings(files: HostFiles, { links }: Pick<HostSnapshot, 'links'>): Promise<SettingState[]> {
  return (await Promise.all(links.map((link) => readSettingsOf(files, link.name)))).flat();
}

async function readRoutes(ports: LookPorts, family: Family): Promise<LineState[]> {
  const list = await ask(ports, [FLAGS[family], '-j', 'route', 'show', 'table', 'all']);
  return parseRoutes(family, list, hasMetrics(list) ? await readLocks(ports, family, list) : []);
}

/** Which metrics are locked, JSON leaves out (print_rta_metrics). */
async function readLocks({ exec }: LookPorts, family: Family, list: readonly Fields[]): Promise<Locks> {
  const args = [FLAGS[family], '-o', 'route', 'show', 'table', 'all'];
  const { ended, stdout } = await exec.run('ip', args, { timeoutMs: IP_TIMEOUT_MS });
  return ended.kind === 'exited' && ended.code === 0 ? lockedMetrics(list, stdout) : 'not_known';
}

async function readRules(ports: LookPorts, family: Family): Promise<LineState[]> {
  return parseRules(family, await ask(ports, [...(family === 'inet6' ? ['-6'] : []), '-j', 'rule', 'show']));
}

async function ask({ files, exec }: LookPorts, args: readonly string[]): Promise<Fields[]> {
  const result = await exec.run('ip', args, { timeoutMs: IP_TIMEOUT_MS });
  const list = result.ended.kind === 'exited' && result.ended.code === 0 ? parseList(result.stdout) : undefined;
  if (list !== undefined) return list;
  if (args[0] === '-6' && (await hasNoIpv6(files, result))) return [];
  throw new SnapshotError(
    `what a revert needs to know of the network cannot be read: ip ${args.join(' ')} ${whyNot(result)}`,
  );
}

/** `ipv6.disable=1`: `ip -6 rule` ends with EAFNOSUPPORT, `ip -6 route` shows nothing. */
async function hasNoIpv6(files: HostFiles, { ended, stderr }: ExecResult): Promise<boolean> {
  if (ended.kind !== 'exited') return false;
  return (
    stderr.includes('Address family not supported') || (await files.stat('/proc/net/if_inet6')).kind === 'not_found'
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

async function readSettingsOf(files: HostFiles, link: string): Promise<SettingState[]> {
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
