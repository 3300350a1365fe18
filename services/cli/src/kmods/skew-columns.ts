import type { KmodSkewItem, KmodSkewVariant } from '@modfleet/server/api-types';
import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';
import { shortBuild } from './kmod-host-columns.ts';

export const SKEW_KINDS = ['build', 'version', 'signer', 'file', 'out_of_tree', 'unsigned'] as const;

/** A count of hosts; none is no cell on a terminal. */
function countColumn(head: string, of: (row: KmodSkewItem) => number): Column<KmodSkewItem> {
  return {
    head,
    cell: (row) => (of(row) === 0 ? '' : String(of(row))),
    raw: (row) => String(of(row)),
    hideEmpty: true,
    color: (colors) => colors.yellow,
  };
}

/** One row a kmod. The order of raw cells is part of the command's contract (docs/cli.md). */
export function skewColumns(now: Date, timeZone: string | undefined): Column<KmodSkewItem>[] {
  return [
    { head: 'KMOD', cell: (row) => row.name, color: (colors) => colors.bold },
    { head: 'HOSTS', cell: (row) => String(row.hosts) },
    countColumn('ODD BUILD', (row) => row.builds.hosts),
    countColumn('ODD VERSION', (row) => row.versions.hosts),
    countColumn('ODD SIGNER', (row) => row.signers.hosts),
    countColumn('FILE DIFFERS', (row) => row.fileDiffers),
    countColumn('NO FILE', (row) => row.fileMissing),
    countColumn('OUT OF TREE', (row) => row.outOfTree),
    countColumn('UNSIGNED', (row) => row.unsigned),
    {
      head: 'FIRST SEEN',
      cell: (row) => (row.first === null ? '' : `${clock(row.first.at, now, timeZone)} on ${row.first.host.name}`),
      raw: (row) => row.first?.at ?? '',
      hideEmpty: true,
      shrink: 1,
    },
    { head: 'FIRST HOST', cell: (row) => row.first?.host.name ?? '', pipeOnly: true },
    { head: 'FILE UNKNOWN', cell: (row) => String(row.fileUnknown), pipeOnly: true },
  ];
}

const FILE_WORDS: Readonly<Record<KmodSkewVariant['file'], string>> = {
  same: 'same',
  differs: 'differs',
  missing: 'no file',
  unknown: '?',
};

/** One row a way in which a kmod is loaded. */
export function variantColumns(): Column<KmodSkewVariant>[] {
  return [
    {
      head: 'KERNEL',
      cell: (row) => row.kernel.release,
      shrink: 2,
    },
    {
      head: 'BUILD',
      cell: (row) => (row.buildId === null ? 'unreadable' : shortBuild(row.buildId)) + (row.mostCommon ? '' : ' !'),
      raw: (row) => row.buildId ?? '',
      color: (colors, row) => (row.mostCommon ? colors.dim : colors.yellow),
    },
    { head: 'VERSION', cell: (row) => row.version ?? '', hideEmpty: true, shrink: 1 },
    { head: 'TAINT', cell: (row) => row.taint, hideEmpty: true },
    { head: 'SIGNER', cell: signer, raw: (row) => row.signer ?? '', hideEmpty: true, shrink: 3 },
    {
      head: 'FILE',
      cell: (row) => FILE_WORDS[row.file],
      raw: (row) => row.file,
      color: (colors, row) => (row.file === 'differs' || row.file === 'missing' ? colors.yellow : colors.dim),
    },
    { head: 'HOSTS', cell: (row) => String(row.hosts) },
    {
      head: 'WHICH',
      cell: (row) => {
        const named = row.examples.slice(0, 3).map((host) => host.name);
        return named.join(',') + (row.hosts > named.length ? ` and ${row.hosts - named.length} more` : '');
      },
      raw: (row) => row.examples.map((host) => host.name).join(','),
      shrink: 4,
    },
    { head: 'SRCVERSION', cell: (row) => row.srcversion ?? '', pipeOnly: true },
    { head: 'KERNEL BUILD', cell: (row) => row.kernel.version, pipeOnly: true },
    { head: 'ARCHITECTURE', cell: (row) => row.kernel.architecture, pipeOnly: true },
    { head: 'MOST COMMON', cell: (row) => String(row.mostCommon), pipeOnly: true },
  ];
}

function signer(row: KmodSkewVariant): string {
  return row.signer ?? (row.unsigned ? 'unsigned' : '');
}
