import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import type { Support } from './device-chain.ts';
import { supportsOfCard } from './driver-users.ts';
import { type KmodsOfKind, kmodsOfKind } from './interface-kinds.ts';
import { type LinkSaid, readLinks } from './ip-links.ts';
import type { ResolveAlias } from './storage.ts';

const NET = '/sys/class/net';

/** IFF_UP (include/uapi/linux/if.h). */
const IFF_UP = 1;

/** ARPHRD_INFINIBAND (include/uapi/linux/if_arp.h): IP over InfiniBand, of kind ipoib. */
const INFINIBAND = '32';

/** A network interface and what it stands on. */
export interface Interface {
  readonly name: string;
  /** unseen: its flags cannot be read, so it may be up. */
  readonly state: 'up' | 'down' | 'unseen';
  /** It belongs to a bridge or bond, or others stand on it. */
  readonly tied: boolean;
  /** Its driver, its buses, the kmod of its kind. Not what the interfaces below it stand on. */
  readonly own: readonly Support[];
  /** Kmods that use its driver for something else, as far as can be told (RDMA on an Ethernet card). */
  readonly beside: readonly Support[];
  /** Interfaces below (a VLAN's parent, a bond's members, what a tunnel is bound to). */
  readonly lower: readonly string[];
  /** Interfaces that stand on it: VLANs go with it, a bridge or bond stays without it. */
  readonly upper: readonly string[];
  /** A device stands behind it. */
  readonly hardware: boolean;
  /** As iproute2 or sysfs calls it; undefined where neither does. */
  readonly kind: string | undefined;
  /** The other end of a tunnel. */
  readonly remote: string | undefined;
  /** Its own; empty without iproute2. */
  readonly addresses: readonly string[];
  /** Why the kmod of a virtual interface cannot be told; undefined when it can. */
  readonly kmodUnseen: string | undefined;
}

/** What interfaces are read with. */
export interface InterfaceSources {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly resolve: ResolveAlias;
  /** depmod's index is there, so `resolve` knows all aliases. */
  readonly indexed: boolean;
  readonly modules: readonly ProcModule[];
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
export async function readInterfaces(sources: InterfaceSources): Promise<Interface[]> {
  const links = await readLinks(sources.exec);
  const entries = valueOf(await sources.files.list(NET)) ?? [];
  const names = entries.filter((entry) => entry.kind !== 'file' && entry.name !== 'lo');
  return Promise.all(names.map(({ name }) => readInterface(sources, name, links.get(name))));
}

async function readInterface(
  { files, resolve, indexed, modules }: InterfaceSources,
  name: string,
  link: LinkSaid | undefined,
): Promise<Interface> {
  const folder = `${NET}/${name}`;
  const entries = (valueOf(await files.list(folder)) ?? []).map((entry) => entry.name);
  const device = valueOf(await files.realPath(`${folder}/device`));
  const kind = link?.kind ?? (await kindFromSysfs(files, folder, entries));
  const ofKind = kind === undefined ? undefined : kmodsOfKind(kind, resolve, indexed);
  const card = device === undefined ? undefined : await supportsOfCard(files, device, modules, kind === 'ipoib');
  return {
    name,
    state: await readState(files, folder),
    tied: entries.some((entry) => entry === 'master' || entry.startsWith('upper_')),
    own: [
      ...(card?.hardware ?? []),
      ...(card?.parts ?? []),
      ...(ofKind?.kmods ?? []).map((kmod) => ({ kmod, seenAt: `${name} is of kind ${kind ?? ''}` })),
    ],
    beside: card?.others ?? [],
    lower: [
      ...entries.filter((entry) => entry.startsWith('lower_')).map((entry) => entry.slice('lower_'.length)),
      ...(link?.boundTo === undefined ? [] : [link.boundTo]),
    ],
    upper: entries.filter((entry) => entry.startsWith('upper_')).map((entry) => entry.slice('upper_'.length)),
    hardware: device !== undefined,
    kind,
    remote: link?.remote,
    addresses: link?.addresses ?? [],
    kmodUnseen: device === undefined ? whyUnsure(kind, ofKind) : undefined,
  };
}

/** An interface that is gone by now is down. */
async function readState(files: HostFiles, folder: string): Promise<Interface['state']> {
  const flags = await files.readText(`${folder}/flags`);
  if (flags.kind === 'not_found') return 'down';
  return flags.kind !== 'ok' ? 'unseen' : (Number(flags.value.trim()) & IFF_UP) !== 0 ? 'up' : 'down';
}

function whyUnsure(kind: string | undefined, ofKind: KmodsOfKind | undefined): string | undefined {
  if (kind === undefined) return 'its kind is not visible without iproute2';
  return ofKind?.sure === true ? undefined : `which kmod makes the kind ${kind} is not visible without depmod's index`;
}

/** What these interfaces and all below them stand on. */
export function supportsOfInterfaces(all: readonly Interface[], names: readonly string[]): Support[] {
  return withLower(all, names).flatMap((one) => one.own);
}

/** These interfaces and all below them. */
export function withLower(all: readonly Interface[], names: readonly string[]): Interface[] {
  const byName = new Map(all.map((one) => [one.name, one]));
  const found = new Map<string, Interface>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const one = found.has(name) ? undefined : byName.get(name);
    if (one === undefined) continue;
    found.set(name, one);
    pending.push(...one.lower);
  }
  return [...found.values()];
}

async function kindFromSysfs(
  files: HostFiles,
  folder: string,
  entries: readonly string[],
): Promise<string | undefined> {
  if (entries.includes('bridge')) return 'bridge';
  if (entries.includes('bonding')) return 'bond';
  if (entries.includes('tun_flags')) return 'tun';
  if (valueOf(await files.readText(`${folder}/type`))?.trim() === INFINIBAND) return 'ipoib';
  if (entries.includes('device')) return undefined;
  const devtype = /^DEVTYPE=(.+)$/m.exec(valueOf(await files.readText(`${folder}/uevent`)) ?? '')?.[1];
  return devtype === undefined ? undefined : (KIND_OF_DEVTYPE[devtype] ?? devtype);
}
