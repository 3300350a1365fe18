import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { ancestor, baseName, nvmeController, scsiHost } from './device-chain.ts';
import type { Mount } from './mounts.ts';

/** Another machine that something stored is reached through. */
export interface Peer {
  /** Undefined: over a network, and to where is not to be seen. */
  readonly address: string | undefined;
  readonly seenAt: string;
}

/** Block devices that are on another machine, whose driver does not say on which (nbd's server is a process that may be a client itself). */
const REMOTE_BLOCK = /^(?:nbd|rbd|drbd|etherd!)/;

/** SCSI hosts that speak Fibre Channel over Ethernet, by the name that they give themselves. */
const FCOE = new Set(['fcoe', 'bnx2fc', 'qedf']);

/** The peers of a block device, from its folder and those of everything that it lies on (`blockFolders`). */
export async function peersOfBlock(files: HostFiles, folders: readonly string[]): Promise<Peer[]> {
  return (await Promise.all(folders.map((real) => peersOfFolder(files, real)))).flat();
}

async function peersOfFolder(files: HostFiles, real: string): Promise<Peer[]> {
  if (REMOTE_BLOCK.test(baseName(real))) return [{ address: undefined, seenAt: real }];
  const session = ancestor(real, /^session\d+$/);
  if (session !== undefined) return iscsiPeers(files, baseName(session).slice('session'.length));
  const controller = nvmeController(real);
  if (controller !== undefined) return nvmePeers(files, controller);
  const host = await scsiHost(files, real);
  return host !== undefined && FCOE.has(host.name) ? [{ address: undefined, seenAt: host.seenAt }] : [];
}

/** `connection1:0` is connection 0 of session 1 (drivers/scsi/scsi_transport_iscsi.c). */
async function iscsiPeers(files: HostFiles, session: string): Promise<Peer[]> {
  const folder = '/sys/class/iscsi_connection';
  const names = (valueOf(await files.list(folder)) ?? [])
    .map((entry) => entry.name)
    .filter((name) => name.startsWith(`connection${session}:`));
  if (names.length === 0) return [{ address: undefined, seenAt: `${folder}: no connection of session ${session}` }];
  return Promise.all(
    names.map(async (name) => {
      const address = valueOf(await files.readText(`${folder}/${name}/address`))?.trim();
      return { address: asAddress(address), seenAt: `${folder}/${name}/address: ${address ?? 'unreadable'}` };
    }),
  );
}

/** A controller's `address` is `traddr=ADDRESS,trsvcid=PORT,…` (drivers/nvme/host/fabrics.c: nvmf_get_address). */
async function nvmePeers(files: HostFiles, controller: string): Promise<Peer[]> {
  const transport = valueOf(await files.readText(`${controller}/transport`))?.trim();
  if (transport !== 'tcp' && transport !== 'rdma') return [];
  const address = valueOf(await files.readText(`${controller}/address`))?.trim();
  const target = /(?:^|,)traddr=([^,]+)/.exec(address ?? '')?.[1];
  return [{ address: asAddress(target), seenAt: `${controller}/address: ${address ?? 'unreadable'}` }];
}

/** File systems that other machines serve; and FUSE, whose server is a process that may use any of them. */
const REMOTE = /^(?:nfs|nfs4|cifs|smb3|ceph|afs|9p|lustre|ocfs2|gfs2|orangefs|fuse(?:\..+)?)$/;

/** The peers of a file system that is mounted; empty for a local one. */
export function peersOfMount({ type, source, point, superOptions }: Mount): Peer[] {
  if (!REMOTE.test(type)) return [];
  const options = new Map(
    superOptions.split(',').map((option): [string, string] => {
      const equals = option.indexOf('=');
      return equals < 0 ? [option, ''] : [option.slice(0, equals), option.slice(equals + 1)];
    }),
  );
  // Through the hypervisor, not through a network (Documentation/filesystems/9p.rst).
  if (type === '9p' && options.get('trans') === 'virtio') return [];
  const address = asAddress(options.get('addr')) ?? (type === '9p' ? asAddress(source) : undefined);
  return [{ address, seenAt: `${point} is ${type} of ${source}` }];
}

/** Without the brackets and zone that an IPv6 address may have; undefined for what is no address. */
function asAddress(text: string | undefined): string | undefined {
  const plain = text?.replace(/^\[(.*)\]$/, '$1');
  return plain !== undefined && /^[0-9a-fA-F.:]+(?:%.+)?$/.test(plain) ? plain : undefined;
}
