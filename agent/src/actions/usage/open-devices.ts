import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { baseName } from '../protection/device-chain.ts';

/** A device node that a process holds open. */
export interface OpenDevice {
  readonly node: string;
  readonly pid: number;
  readonly command: string;
}

/** Open device nodes of one kmod, and whether all processes could be looked at. */
export interface OpenDevices {
  readonly open: readonly OpenDevice[];
  readonly allSeen: boolean;
}

/** Processes looked at together. */
const WIDTH = 16;

/** The kmod's nodes that some process holds open. */
export async function readOpenDevices(
  files: HostFiles,
  kmod: string,
  aliases: readonly KmodAlias[],
): Promise<OpenDevices> {
  const nodes = new Set([...(await nodesOfDriver(files, kmod)), ...nodesOfAliases(kmod, aliases)]);
  const pids = (valueOf(await files.list('/proc')) ?? [])
    .map((entry) => entry.name)
    .filter((name) => /^\d+$/.test(name));
  const open: OpenDevice[] = [];
  let allSeen = true;
  for (let start = 0; start < pids.length; start += WIDTH) {
    const looked = await Promise.all(pids.slice(start, start + WIDTH).map((pid) => nodesOfProcess(files, pid)));
    for (const process of looked) {
      if (process === 'denied') allSeen = false;
      else
        for (const node of process.nodes)
          if (nodes.has(node) || isNamedAfter(node, kmod))
            open.push({ node, pid: process.pid, command: process.command });
    }
  }
  return { open: [...new Map(open.map((one) => [`${one.pid} ${one.node}`, one])).values()], allSeen };
}

async function nodesOfProcess(
  files: HostFiles,
  pid: string,
): Promise<{ pid: number; command: string; nodes: readonly string[] } | 'denied'> {
  const fds = await files.list(`/proc/${pid}/fd`);
  if (fds.kind === 'denied') return 'denied';
  const links = await Promise.all((valueOf(fds) ?? []).map(({ name }) => files.readLink(`/proc/${pid}/fd/${name}`)));
  const nodes = links
    .map((link) => valueOf(link)?.replace(/ \(deleted\)$/, ''))
    .filter((path) => path !== undefined)
    .filter((path) => path.startsWith('/dev/') && path !== '/dev/null');
  const command = nodes.length === 0 ? '' : (valueOf(await files.readText(`/proc/${pid}/comm`))?.trim() ?? '');
  return { pid: Number(pid), command, nodes };
}

/** Nodes of character devices whose driver is in this kmod. Misc devices have no driver link. */
async function nodesOfDriver(files: HostFiles, kmod: string): Promise<string[]> {
  const nodes: string[] = [];
  for (const { name } of valueOf(await files.list('/sys/dev/char')) ?? []) {
    const real = valueOf(await files.realPath(`/sys/dev/char/${name}`));
    if (real === undefined || real.startsWith('/sys/devices/virtual/')) continue;
    const parent = real.split('/').slice(0, -2).join('/');
    const module =
      valueOf(await files.readLink(`${real}/device/driver/module`)) ??
      valueOf(await files.readLink(`${parent}/driver/module`));
    if (module === undefined || kernelName(baseName(module)) !== kmod) continue;
    const node = /^DEVNAME=(.+)$/m.exec(valueOf(await files.readText(`${real}/uevent`)) ?? '')?.[1];
    if (node !== undefined) nodes.push(`/dev/${node}`);
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
