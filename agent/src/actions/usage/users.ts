import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { evidence } from '../findings/facts.ts';
import type { StorageUse } from '../protection/storage.ts';

/** Users that are shown at most: enough to act on, short enough to read. */
const MAX_SHOWN = 20;

/**
 * Who uses a kmod whose reference count is above 0: best effort, from what the kernel shows without tools (kernel-facts: "refcount and what
 * breaks"). Open devices are looked for apart.
 */
export async function readUsers(files: HostFiles, kmod: string, storage: readonly StorageUse[]): Promise<Evidence[]> {
  const found = await Promise.all([
    loopDevices(files, kmod),
    mappings(files, kmod),
    protocols(files, kmod),
    ciphers(files, kmod),
    congestion(files, kmod),
  ]);
  const mounts = storage
    .filter((use) => use.supports.some((support) => support.kmod === kmod))
    .map((use) => evidence('mount', use.what));
  return [...mounts, ...found.flat()].slice(0, MAX_SHOWN);
}

async function loopDevices(files: HostFiles, kmod: string): Promise<Evidence[]> {
  if (kmod !== 'loop' && kmod !== 'nbd' && kmod !== 'zram') return [];
  const names = (valueOf(await files.list('/sys/block')) ?? [])
    .map((entry) => entry.name)
    .filter((name) => name.startsWith(kmod));
  const shown = await Promise.all(
    names.map(async (name) => {
      const file = valueOf(await files.readText(`/sys/block/${name}/loop/backing_file`))?.trim();
      const pid = valueOf(await files.readText(`/sys/block/${name}/pid`))?.trim();
      if (file !== undefined) return [evidence('block', `/dev/${name}: ${file}`)];
      return pid === undefined ? [] : [evidence('process', `${pid} serves /dev/${name}`)];
    }),
  );
  return shown.flat();
}

async function mappings(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const names = (valueOf(await files.list('/sys/block')) ?? []).map((entry) => entry.name);
  const shown = await Promise.all(
    names.map(async (name) => {
      if (kmod === 'dm_mod' && name.startsWith('dm-')) {
        return [
          evidence(
            'block',
            `/dev/mapper/${valueOf(await files.readText(`/sys/block/${name}/dm/name`))?.trim() ?? name}`,
          ),
        ];
      }
      const level = name.startsWith('md')
        ? valueOf(await files.readText(`/sys/block/${name}/md/level`))?.trim()
        : undefined;
      return level !== undefined && (kmod === 'md_mod' || kmod === level)
        ? [evidence('block', `/dev/${name}: ${level}`)]
        : [];
    }),
  );
  return shown.flat();
}

/** /proc/net/protocols: `protocol size sockets memory press maxhdr slab module …`. Its count of sockets is not kept by most. */
async function protocols(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const text = valueOf(await files.readText('/proc/net/protocols')) ?? '';
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => kernelName(fields[7] ?? '') === kmod)
    .map((fields) =>
      evidence(
        'socket',
        `sockets of protocol ${fields[0]} (/proc/net/protocols); which processes is not visible without ss`,
      ),
    );
}

/** /proc/crypto: one block an algorithm; a refcnt of 1 is idle. */
async function ciphers(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const text = valueOf(await files.readText('/proc/crypto')) ?? '';
  return text.split('\n\n').flatMap((block) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(block)?.[1];
    const references = Number(field('refcnt') ?? '1');
    return kernelName(field('module') ?? '') === kmod && references > 1
      ? [evidence('path', `/proc/crypto: ${field('driver')} (${field('name')}) has ${references - 1} users`)]
      : [];
  });
}

async function congestion(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const path = '/proc/sys/net/ipv4/tcp_congestion_control';
  const name = valueOf(await files.readText(path))?.trim();
  return name !== undefined && kmod === `tcp_${name}` ? [evidence('path', `${path}: ${name}`)] : [];
}
