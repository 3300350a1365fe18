import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { evidence, type Stake } from '../findings/facts.ts';
import { baseName } from '../protection/device-chain.ts';
import { commandOf, type Processes } from './processes.ts';

/** A device node that a process holds open. */
export interface OpenDevice {
  readonly node: string;
  readonly pid: number;
  readonly command: string;
}

/** The kmod's nodes that some process holds open. */
export async function readOpenDevices(
  files: HostFiles,
  kmod: string,
  aliases: readonly KmodAlias[],
  nodesByDriver: ReadonlyMap<string, readonly string[]>,
  processes: Processes,
): Promise<readonly OpenDevice[]> {
  const nodes = new Set([...(nodesByDriver.get(kmod) ?? []), ...nodesOfAliases(kmod, aliases)]);
  const open = processes.seen.flatMap(({ pid, nodes: held }) =>
    [...new Set(held)].filter((node) => nodes.has(node) || isNamedAfter(node, kmod)).map((node) => ({ node, pid })),
  );
  return Promise.all(open.map(async (one) => ({ ...one, command: await commandOf(files, one.pid) })));
}

/** What is asked about nodes of a kmod that processes may hold open unseen. */
export interface UnseenContext {
  readonly files: HostFiles;
  readonly kmod: string;
  readonly aliases: readonly KmodAlias[];
  readonly nodesByDriver: ReadonlyMap<string, readonly string[]>;
  readonly processes: Processes;
}

/**
 * Of a kmod that has device nodes and whose reference count is 0: a driver that forgets to count lets the kernel oops at the close of a node that
 * is open meanwhile, and not every process can be looked at.
 */
export async function unseenHolders({
  files,
  kmod,
  aliases,
  nodesByDriver,
  processes,
}: UnseenContext): Promise<Stake[]> {
  if (processes.allSeen) return [];
  const misc = (valueOf(await files.list('/sys/class/misc')) ?? []).map((entry) => `/dev/${entry.name}`);
  const numbered = aliases.some((alias) => alias.kmod === kmod && alias.pattern.startsWith('char_major_'));
  const nodes = [
    ...(nodesByDriver.get(kmod) ?? []),
    ...nodesOfAliases(kmod, aliases),
    ...misc.filter((node) => isNamedAfter(node, kmod)),
  ];
  if (nodes.length === 0 && !numbered) return [];
  const why = 'open files of other users: not visible without root';
  return [
    {
      kind: 'data',
      message: `a device of ${kmod} may be open in a process that cannot be looked at; a driver that does not count it would have the kernel oops at its close`,
      evidence: [evidence('unseen', why), ...[...new Set(nodes)].map((node) => evidence('path', node))],
    },
  ];
}

/** Nodes of character devices by the kmod that their driver is in. Misc devices have no driver link. */
export async function readNodesByDriver(files: HostFiles): Promise<ReadonlyMap<string, readonly string[]>> {
  const nodes = new Map<string, string[]>();
  for (const { name } of valueOf(await files.list('/sys/dev/char')) ?? []) {
    const real = valueOf(await files.realPath(`/sys/dev/char/${name}`));
    if (real === undefined || real.startsWith('/sys/devices/virtual/')) continue;
    const parent = real.split('/').slice(0, -2).join('/');
    const module =
      valueOf(await files.readLink(`${real}/device/driver/module`)) ??
      valueOf(await files.readLink(`${parent}/driver/module`));
    if (module === undefined) continue;
    const node = /^DEVNAME=(.+)$/m.exec(valueOf(await files.readText(`${real}/uevent`)) ?? '')?.[1];
    if (node === undefined) continue;
    const kmod = kernelName(baseName(module));
    nodes.set(kmod, [...(nodes.get(kmod) ?? []), `/dev/${node}`]);
  }
  return nodes;
}

/** `devname:net/tun` is how a kmod says which node loads it. The alias table has `-` folded to `_`. */
function nodesOfAliases(kmod: string, aliases: readonly KmodAlias[]): string[] {
  return aliases
    .filter((alias) => alias.kmod === kmod && alias.pattern.startsWith('devname:'))
    .map((alias) => `/dev/${alias.pattern.slice('devname:'.length)}`);
}

/** `/dev/NAME`, `/dev/NAME0`, `/dev/NAME/…`: how misc devices without any link are mostly called. */
function isNamedAfter(node: string, kmod: string): boolean {
  const name = kernelName(node.slice('/dev/'.length));
  return name === kmod || (name.startsWith(kmod) && /^[\d/]/.test(name.slice(kmod.length)));
}
