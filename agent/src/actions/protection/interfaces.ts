import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { type Support, supportsOfDevice } from './device-chain.ts';
import type { ResolveAlias } from './storage.ts';

const NET = '/sys/class/net';

/** IFF_UP (include/uapi/linux/if.h). */
const IFF_UP = 1;

/** `ip` answers in milliseconds; a second is a machine in trouble. */
const IP_TIMEOUT_MS = 5_000;

/** A network interface and what it stands on. */
export interface Interface {
  readonly name: string;
  readonly up: boolean;
  /** It belongs to a bridge or bond, or others stand on it. */
  readonly tied: boolean;
  /** Its driver, its buses, the kmod of its kind. Not what the interfaces below it stand on. */
  readonly own: readonly Support[];
  /** Interfaces below (a VLAN's parent, a bond's members, what a tunnel is bound to). */
  readonly lower: readonly string[];
  /** Interfaces that stand on it: VLANs go with it, a bridge or bond stays without it. */
  readonly upper: readonly string[];
  /** A device stands behind it. */
  readonly hardware: boolean;
  /** The other end of a tunnel. */
  readonly remote: string | undefined;
  /** A virtual interface whose kind could not be told. */
  readonly kindUnknown: boolean;
}

/** DEVTYPE of a uevent (net core's SET_NETDEV_DEVTYPE) where it is not the kind's name. */
const KIND_OF_DEVTYPE: Readonly<Record<string, string>> = {
  bond: 'bond',
  bridge: 'bridge',
  vlan: 'vlan',
  vxlan: 'vxlan',
  geneve: 'geneve',
};

/** All interfaces of this network namespace but loopback. */
export async function readInterfaces(files: HostFiles, exec: Exec, resolve: ResolveAlias): Promise<Interface[]> {
  const links = await readLinks(exec);
  const names = (valueOf(await files.list(NET)) ?? []).filter((entry) => entry.kind !== 'file' && entry.name !== 'lo');
  return Promise.all(names.map(({ name }) => readInterface(files, name, links.get(name), resolve)));
}

async function readInterface(
  files: HostFiles,
  name: string,
  link: LinkSaid | undefined,
  resolve: ResolveAlias,
): Promise<Interface> {
  const folder = `${NET}/${name}`;
  const entries = (valueOf(await files.list(folder)) ?? []).map((entry) => entry.name);
  const flags = Number(valueOf(await files.readText(`${folder}/flags`))?.trim() ?? '0');
  const device = valueOf(await files.realPath(`${folder}/device`));
  const hardware = device === undefined ? [] : await supportsOfDevice(files, device);
  const kind = device === undefined ? (link?.kind ?? (await kindFromSysfs(files, folder, entries))) : undefined;
  const ofKind =
    kind === undefined
      ? []
      : kmodsOfKind(kind, resolve).map((kmod) => ({ kmod, seenAt: `${name} is of kind ${kind}` }));
  return {
    name,
    up: (flags & IFF_UP) !== 0,
    tied: entries.some((entry) => entry === 'master' || entry.startsWith('upper_')),
    own: [...hardware, ...ofKind],
    lower: [
      ...entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length)),
      ...(link?.boundTo === undefined ? [] : [link.boundTo]),
    ],
    upper: entries.filter((entry) => entry.startsWith('upper_')).map((entry) => entry.slice('upper_'.length)),
    hardware: device !== undefined,
    remote: link?.remote,
    kindUnknown: device === undefined && kind === undefined,
  };
}

/** What these interfaces and all below them stand on. */
export function supportsOfInterfaces(all: readonly Interface[], names: readonly string[]): Support[] {
  const byName = new Map(all.map((one) => [one.name, one]));
  const seen = new Set<string>();
  const pending = [...names];
  const supports: Support[] = [];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const found = seen.has(name) ? undefined : byName.get(name);
    seen.add(name);
    if (found === undefined) continue;
    supports.push(...found.own);
    pending.push(...found.lower);
  }
  return supports;
}

async function kindFromSysfs(
  files: HostFiles,
  folder: string,
  entries: readonly string[],
): Promise<string | undefined> {
  if (entries.includes('bridge')) return 'bridge';
  if (entries.includes('bonding')) return 'bond';
  if (entries.includes('tun_flags')) return 'tun';
  const devtype = /^DEVTYPE=(.+)$/m.exec(valueOf(await files.readText(`${folder}/uevent`)) ?? '')?.[1];
  return devtype === undefined ? undefined : (KIND_OF_DEVTYPE[devtype] ?? devtype);
}

/** `rtnl-link-KIND` is the alias by which the kernel asks for a kind. Without it the kind's own name is the best guess. */
function kmodsOfKind(kind: string, resolve: ResolveAlias): readonly string[] {
  const names = resolve(`rtnl-link-${kind}`);
  if (names.length > 0) return names;
  return kind === 'vlan' ? ['8021q'] : kind === 'bond' ? ['bonding'] : [kind.replaceAll('-', '_')];
}

/** What iproute2 says of an interface beyond sysfs. */
export interface LinkSaid {
  readonly kind: string | undefined;
  /** The interface that a tunnel or a stacked one is bound to. */
  readonly boundTo: string | undefined;
  /** A tunnel's other end. */
  readonly remote: string | undefined;
}

/** As `ip -d -j link` says it; empty where iproute2 is missing. */
async function readLinks(exec: Exec): Promise<ReadonlyMap<string, LinkSaid>> {
  if (exec.find('ip') === undefined) return new Map();
  const result = await exec.run('ip', ['-d', '-j', 'link', 'show'], { timeoutMs: IP_TIMEOUT_MS });
  if (result.ended.kind !== 'exited' || result.ended.code !== 0) return new Map();
  return parseLinks(result.stdout);
}

/** By interface, from iproute2's JSON; empty when it is none (busybox's `ip`). */
export function parseLinks(json: string): Map<string, LinkSaid> {
  const links = new Map<string, LinkSaid>();
  for (const one of asArray(parseJson(json))) {
    const { ifname, linkinfo, link } = asRecord(one);
    if (typeof ifname !== 'string') continue;
    const { info_kind: kind, info_data: data } = asRecord(linkinfo);
    const { remote, remote6, link: underlying } = asRecord(data);
    links.set(ifname, {
      kind: asText(kind),
      boundTo: asText(link) ?? asText(underlying),
      remote: [remote, remote6].map(asText).find((address) => address !== undefined && address !== 'any'),
    });
  }
  return links;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
