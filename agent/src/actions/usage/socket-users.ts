import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { evidence } from '../findings/facts.ts';
import { commandOf, type Processes } from './processes.ts';

/**
 * Lists in /proc/net that name a socket by its inode, and the column in which they do. Those of kmods are here too: who stands in one of them holds
 * that kmod for sure.
 */
const LISTS: readonly { readonly file: string; readonly column: number; readonly kmod?: string }[] = [
  { file: 'tcp', column: 9 },
  { file: 'tcp6', column: 9 },
  { file: 'udp', column: 9 },
  { file: 'udp6', column: 9 },
  { file: 'udplite', column: 9 },
  { file: 'udplite6', column: 9 },
  { file: 'raw', column: 9 },
  { file: 'raw6', column: 9 },
  { file: 'icmp', column: 9 },
  { file: 'icmp6', column: 9 },
  { file: 'unix', column: 6 },
  { file: 'netlink', column: 9 },
  { file: 'packet', column: 8 },
  { file: 'pfkey', column: 5, kmod: 'af_key' },
  { file: 'sctp/eps', column: 7, kmod: 'sctp' },
  { file: 'sctp/assocs', column: 10, kmod: 'sctp' },
];

/** Aliases by which the kernel asks for a socket family, a protocol of one, or a kind of AF_ALG (net/socket.c, crypto/af_alg.c). */
const SOCKET_ALIAS = /^(?:net_pf_\d+|can_proto_\d+|bt_proto_\d+)/;

/**
 * Processes with sockets of a kmod. Most families have no list: their processes are told by having a socket that no list has, which may as well be of
 * another such family.
 */
export async function socketUsers(
  files: HostFiles,
  kmod: string,
  aliases: readonly KmodAlias[],
  processes: Processes,
): Promise<Evidence[]> {
  const protocols = await protocolsOf(files, kmod);
  const isFamily =
    kmod.startsWith('algif_') || aliases.some((one) => one.kmod === kmod && SOCKET_ALIAS.test(one.pattern));
  const lists = await readLists(files);
  const own = lists.get(kmod) ?? new Set<string>();
  const isListed = LISTS.some((list) => list.kmod === kmod);
  const listed = new Set([...lists.values()].flatMap((inodes) => [...inodes]));
  const here = valueOf(await files.readLink('/proc/self/ns/net'));
  const found: Evidence[] = [];
  for (const { pid, sockets, networkNamespace } of processes.seen) {
    // The lists are those of our network namespace.
    if (networkNamespace !== here) continue;
    const certain = sockets.filter((inode) => own.has(inode));
    const unlisted = isFamily || protocols.length > 0 ? sockets.filter((inode) => !listed.has(inode)) : [];
    if (certain.length + unlisted.length === 0) continue;
    const command = await commandOf(files, pid);
    if (certain.length > 0) found.push(evidence('process', `${pid} (${command}) has ${count(certain)} of ${kmod}`));
    else if (!isListed)
      found.push(evidence('process', `${pid} (${command}) has ${count(unlisted)} that no list in /proc/net names`));
  }
  return [...protocols, ...found];
}

const count = (sockets: readonly string[]): string => (sockets.length === 1 ? 'a socket' : `${sockets.length} sockets`);

/**
 * Netlink protocols and the kmod that answers (include/uapi/linux/netlink.h); the others are built in everywhere. /proc/net/netlink has sockets that are
 * bound, the kernel's own among them; one that was only opened holds the kmod too, and is in no list (net/netlink/af_netlink.c: netlink_insert).
 */
const NETLINK: Readonly<Record<string, string>> = { '6': 'xfrm_user', '12': 'nfnetlink', '21': 'crypto_user' };

/** Inodes by kmod; those of lists that belong to no kmod under the empty name. */
async function readLists(files: HostFiles): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const { file, column, kmod = '' } of LISTS) {
    const text = valueOf(await files.readText(`/proc/net/${file}`)) ?? '';
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[column];
      if (inode === undefined || !/^\d+$/.test(inode)) continue;
      const owner = file === 'netlink' ? (NETLINK[fields[1] ?? ''] ?? '') : kmod;
      found.set(owner, (found.get(owner) ?? new Set<string>()).add(inode));
    }
  }
  return found;
}

/** /proc/net/protocols: `protocol size sockets memory press maxhdr slab module …`. Its count of sockets is not kept by most. */
async function protocolsOf(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const text = valueOf(await files.readText('/proc/net/protocols')) ?? '';
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => kernelName(fields[7] ?? '') === kmod)
    .map((fields) => evidence('socket', `protocol ${fields[0]} is of ${kmod} (/proc/net/protocols)`));
}
