import type { Kmod, KmodHost } from '../api-types.ts';
import { fileDiffers, toBlock, toLoadedEntry } from '../hosts/host-inventory.mapper.ts';
import { ageMs, isoOrNull, orNull } from '../http/facet-words.ts';
import type { KmodDetails, KmodHostRow, KmodTally, SetBlockRow, SetDeviceRow } from './kmod-hosts.queries.ts';
import type { KmodSubject } from './kmod-resolution.ts';

/** How the name became a kmod, as answers say it. */
export function toResolution(subject: KmodSubject): Pick<Kmod, 'name' | 'requested' | 'resolvedBy' | 'candidates'> {
  const { name, requested, resolvedBy, candidates } = subject;
  return { name, requested, resolvedBy, ...(candidates.length === 0 ? {} : { candidates: [...candidates] }) };
}

/** Counts: only hosts whose facts are fresh are known, all others are `unknown`; the five add up to coverage.total. */
export function toTally(tally: KmodTally): Pick<Kmod, 'counts' | 'lastSeen' | 'coverage' | 'asOf' | 'selectorUnknown'> {
  const { loaded, builtin, onDisk, absent, total, fresh, stale, silent, incapable } = tally;
  return {
    counts: { loaded, builtin, onDisk, absent, unknown: total - loaded - builtin - onDisk - absent },
    lastSeen: {
      loaded: tally.lastLoaded,
      builtin: tally.lastBuiltin,
      onDisk: tally.lastOnDisk,
      absent: tally.lastAbsent,
    },
    coverage: { total, fresh, stale, silent, incapable },
    selectorUnknown: tally.selectorUnknown,
    asOf: tally.asOf.toISOString(),
  };
}

export function toBlockedCounts(tally: KmodTally): Kmod['blocked'] {
  const { blockedNo: no, blockedPartly: partly, blockedKernel: kernel } = tally;
  return { no, partly, kernel, unknown: tally.total - no - partly - kernel };
}

export function toKmodHost(
  row: KmodHostRow,
  blocks: readonly SetBlockRow[],
  devices: readonly SetDeviceRow[],
  asOf: Date,
): KmodHost {
  const loaded = row.entry === null ? null : toLoadedEntry(row.entry);
  return {
    host: { id: row.id, name: row.name },
    presence: row.known ?? row.last,
    known: row.known !== null,
    coverage: row.coverage,
    observedAt: isoOrNull(row.observed_at),
    ageMs: ageMs(asOf, row.observed_at),
    reason: row.reason,
    kernelRelease: row.kernel_release,
    loaded,
    fileDiffers: fileDiffers(loaded?.buildId, row.file_build_id),
    blocks: blocks.filter((block) => block.set === row.config_set).map(toBlock),
    blocked: row.blocked,
    devices: devices
      .filter((device) => device.set === row.device_set)
      .map(({ bus, address, driver, names }) => ({ bus, address, driver, names })),
  };
}

export function toDetails(details: KmodDetails | undefined): Pick<Kmod, 'description' | 'license' | 'depends'> {
  return {
    description: orNull(details?.description),
    license: orNull(details?.license),
    depends: details?.depends ?? [],
  };
}
