import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { kernelName } from '../../kmod/kernel-name.ts';

/** Answers in milliseconds; a second is a machine in trouble. */
const TIMEOUT_MS = 5_000;

/** Target kinds of each device-mapper volume, by its name; undefined: not visible without dmsetup, or without root. */
export type DmTables = ReadonlyMap<string, readonly string[]> | undefined;

/** Reads `dmsetup table`, which hides the keys of encrypted volumes. Each volume is a block device `dm-N`; without one there is nothing to ask. */
export async function readDmTables(files: HostFiles, exec: Exec): Promise<DmTables> {
  const devices = await files.list('/sys/block');
  if (devices.kind === 'ok' && !devices.value.some((one) => one.name.startsWith('dm-'))) return new Map();
  if (exec.find('dmsetup') === undefined) return undefined;
  const result = await exec.run('dmsetup', ['table'], { timeoutMs: TIMEOUT_MS });
  return result.ended.kind === 'exited' && result.ended.code === 0 ? parseDmTables(result.stdout) : undefined;
}

/** Lines of `NAME: START LENGTH KIND ARGUMENTS`. */
export function parseDmTables(text: string): Map<string, readonly string[]> {
  const tables = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const found = /^(.+?): \d+ \d+ (\S+)/.exec(line);
    if (found?.[1] === undefined || found[2] === undefined) continue;
    const kinds = tables.get(found[1]) ?? [];
    tables.set(found[1], kinds.includes(found[2]) ? kinds : [...kinds, found[2]]);
  }
  return tables;
}

/** Targets that dm_mod brings itself (drivers/md/dm-linear.c, dm-stripe.c, dm-target.c). */
const OF_DM_MOD = new Set(['linear', 'striped', 'error', 'io-err']);

/** Kinds whose kmod is not called after them (MODULE_ALIAS in drivers/md). */
const BY_KIND: Readonly<Record<string, string>> = {
  mirror: 'dm_mirror',
  'snapshot-origin': 'dm_snapshot',
  'snapshot-merge': 'dm_snapshot',
  thin: 'dm_thin_pool',
  'thin-pool': 'dm_thin_pool',
};

/** The kmod of a target kind. */
export function kmodOfTarget(kind: string): string {
  return OF_DM_MOD.has(kind) ? 'dm_mod' : (BY_KIND[kind] ?? `dm_${kernelName(kind)}`);
}
