import { decodeFacet, Facet } from '@modfleet/proto';
import type { HostKmod } from '../api-types.ts';
import { kmodStateWord, orNull, rungWordOf } from '../http/facet-words.ts';
import type { BlockRow, HostKmodRow } from './host-inventory.queries.ts';

/** Value by parameter by kmod; null for one that cannot be read. */
export type ParametersByKmod = ReadonlyMap<string, Readonly<Record<string, string | null>>>;

export function decodeParameters(value: Buffer | undefined): ParametersByKmod {
  if (value === undefined) return new Map();
  const { kmods } = decodeFacet(Facet.FACET_PARAMETERS, value);
  return new Map(
    kmods.map((kmod) => [
      kmod.name,
      Object.fromEntries(kmod.parameters.map(({ name, value: text }) => [name, text ?? null])),
    ]),
  );
}

export function toHostKmod(row: HostKmodRow, blocks: readonly BlockRow[], parameters: ParametersByKmod): HostKmod {
  const loaded = row.entry === null ? null : toLoadedEntry(row.entry);
  return {
    name: row.name,
    presence: loaded !== null ? 'loaded' : row.builtin === true ? 'builtin' : 'on_disk',
    state: loaded?.state ?? null,
    buildId: loaded?.buildId ?? orNull(row.build_id),
    size: loaded?.size ?? null,
    taint: loaded?.taint ?? '',
    version: loaded?.version ?? orNull(row.version),
    srcversion: loaded?.srcversion ?? orNull(row.srcversion),
    fileDiffers: fileDiffers(loaded?.buildId, row.build_id),
    path: orNull(row.path),
    parameters: { ...parameters.get(row.name) },
    blocks: blocks.filter((block) => block.kmod === null || block.kmod === row.name).map(toBlock),
  };
}

/** An entry of loaded_entries() (migration 0016), as the API says it. */
export function toLoadedEntry(entry: Readonly<Record<string, unknown>>) {
  return {
    buildId: orNull(textOf(entry['buildId'])),
    size: Number(entry['size'] ?? 0),
    taint: textOf(entry['taint']),
    version: orNull(textOf(entry['version'])),
    srcversion: orNull(textOf(entry['srcversion'])),
    state: kmodStateWord(entry['state']),
  };
}

/** True when the running code is not that of the file; null when either build id is unknown. */
export function fileDiffers(
  loadedBuildId: string | null | undefined,
  fileBuildId: string | null | undefined,
): boolean | null {
  const loaded = orNull(loadedBuildId);
  const file = orNull(fileBuildId);
  return loaded === null || file === null ? null : loaded !== file;
}

export function toBlock(row: Pick<BlockRow, 'rung' | 'file' | 'line' | 'detail'>) {
  return { rung: rungWordOf(row.rung), file: row.file, line: row.line, detail: row.detail };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
