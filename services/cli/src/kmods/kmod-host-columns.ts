import type { BlockedWord, KmodHost, PresenceWord } from '@modfleet/server/api-types';
import type { Column } from '../output/table.ts';
import { ago } from '../output/time.ts';
import { whyUnknown } from './headline.ts';

/** First characters of a build id that a page shows; a pipe gets it whole. */
const BUILD_ID_SHORT = 8;

export const PRESENCE_WORDS: Readonly<Record<PresenceWord, string>> = {
  loaded: 'loaded',
  builtin: 'built in',
  on_disk: 'on disk',
  absent: 'absent',
};

const BLOCKED_WORDS: Readonly<Record<BlockedWord, string>> = { no: 'no', partly: 'partly', kernel: 'by kernel' };

export function shortBuild(buildId: string | null): string {
  return buildId === null ? '' : buildId.slice(0, BUILD_ID_SHORT);
}

/** "loaded"; with its state when it is neither up nor gone: "loaded (unloading)". */
export function presenceCell(row: Pick<KmodHost, 'presence' | 'loaded'>): string {
  if (row.presence === null) return 'never reported';
  const state = row.loaded?.state;
  return PRESENCE_WORDS[row.presence] + (state === 'loading' || state === 'unloading' ? ` (${state})` : '');
}

function build(row: KmodHost): string {
  if (row.loaded === null) return '';
  return (
    [row.loaded.version ?? '', shortBuild(row.loaded.buildId)].filter((part) => part !== '').join(' ') +
    (row.fileDiffers ? ' !' : '')
  );
}

function devices(row: KmodHost): string {
  return row.devices
    .map((device) => (device.names.length > 0 ? `${device.names.join(',')} (${device.address})` : device.address))
    .join(' ');
}

/** The table of hosts whose state is known. The order of raw cells is part of the command's contract (docs/cli.md). */
export function knownColumns(): Column<KmodHost>[] {
  return [
    { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
    {
      head: 'STATE',
      cell: presenceCell,
      raw: (row) => (row.known ? (row.presence ?? 'unknown') : 'unknown'),
      color: (colors, row) => (row.presence === 'loaded' || row.presence === 'builtin' ? colors.green : colors.dim),
    },
    { head: 'SEEN', cell: (row) => ago(row.ageMs), raw: (row) => row.observedAt ?? '' },
    { head: 'BUILD', cell: build, raw: (row) => row.loaded?.buildId ?? '', hideEmpty: true, shrink: 2 },
    { head: 'TAINT', cell: (row) => row.loaded?.taint ?? '', hideEmpty: true },
    { head: 'KERNEL', cell: (row) => row.kernelRelease, shrink: 3 },
    {
      head: 'BLOCKED',
      cell: (row) => (row.blocked === null ? '?' : BLOCKED_WORDS[row.blocked]),
      raw: (row) => row.blocked ?? 'unknown',
    },
    {
      head: 'DEVICES',
      cell: devices,
      raw: (row) => row.devices.map((device) => `${device.bus}:${device.address}`).join(','),
      hideEmpty: true,
      shrink: 4,
    },
    { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
    { head: 'REASON', cell: (row) => (row.known ? '' : (row.reason ?? row.coverage)), pipeOnly: true },
  ];
}

/** Hosts whose state is not known now, one a line: why, and what they last said. */
export function unknownLines(rows: readonly KmodHost[], now: Date, timeZone: string | undefined): string[] {
  return rows.map((row) => {
    const last = [presenceCell(row), build(row)].filter((part) => part !== '').join(' ');
    const said = row.presence === null ? '' : `; it last said: ${last}`;
    return `${row.host.name} (${row.kernelRelease}): ${whyUnknown(row, now, timeZone)}${said}`;
  });
}
