import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { readSysParameters, SYS_MODULE } from './sys-module.ts';

/** Write bit of the owner, which is root. */
const WRITE_BIT = 0o200;

/** A parameter of what is there now, as /sys/module shows it. */
export interface RuntimeParameter {
  /** Undefined: it cannot be read. */
  readonly value: string | undefined;
  /** Its file has a write bit for root. */
  readonly writable: boolean;
}

/** The parameters of a loaded kmod, or of code that is built in, by name; none where there is no such folder. */
export async function readRuntimeParameters(
  files: HostFiles,
  kmod: string,
): Promise<ReadonlyMap<string, RuntimeParameter>> {
  const found = valueOf(await readSysParameters(files, kmod)) ?? [];
  const entries = found.map(async (one): Promise<[string, RuntimeParameter]> => {
    const stat = valueOf(await files.stat(`${SYS_MODULE}/${kmod}/parameters/${one.name}`));
    const writable = stat !== undefined && (stat.mode & WRITE_BIT) !== 0;
    return [one.name, { value: one.kind === 'value' ? one.value : undefined, writable }];
  });
  return new Map(await Promise.all(entries));
}
