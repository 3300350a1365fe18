import type { ChangedHost, KmodEvent } from '@modfleet/server/api-types';
import type { Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';

export const KINDS = ['loaded', 'unloaded', 'changed'] as const;

/** Of an event in a list, and alone. */
export const EVENT_FIELDS = ['id', 'at', 'host', 'kmod', 'kind', 'actionId', 'source', 'detail'] as const;

/** Of one host's events. The order of raw cells is part of the command's contract (docs/cli.md). */
export function hostEventColumns(now: Date, timeZone: string | undefined): Column<KmodEvent>[] {
  return [
    { head: 'SEEN', cell: (row) => exactClock(row.at, now, timeZone), raw: (row) => row.at },
    { head: 'KMOD', cell: (row) => row.kmod, color: (colors) => colors.bold },
    { head: 'WHAT', cell: (row) => row.kind },
    { head: 'BY ACTION', cell: byAction, raw: (row) => row.actionId ?? '' },
    { head: 'SEEN BY', cell: (row) => row.source },
  ];
}

/** Of the fleet's events. */
export function eventColumns(now: Date, timeZone: string | undefined): Column<KmodEvent>[] {
  const [seen, ...rest] = hostEventColumns(now, timeZone);
  return [
    ...(seen === undefined ? [] : [seen]),
    { head: 'HOST', cell: (row) => row.host.name, shrink: 1 },
    ...rest,
    { head: 'CHANGED', cell: changes, hideEmpty: true, shrink: 2 },
    { head: 'HOST ID', cell: (row) => row.host.id, pipeOnly: true },
  ];
}

export function byAction(row: Pick<KmodEvent, 'actionId'>): string {
  return row.actionId ?? 'none of ours';
}

/** "version 1.2 to 1.3": what a change changed, where it says so. */
export function changes(row: Pick<KmodEvent, 'detail'>): string {
  return Object.entries(row.detail ?? {})
    .map(([field, value]) => {
      const { from, to } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
      return `${field} ${shown(from)} to ${shown(to)}`;
    })
    .join(', ');
}

function shown(value: unknown): string {
  return value === '' || value === undefined || value === null ? 'nothing' : String(value).slice(0, 12);
}

/** One row a host that changed. */
export function changedHostColumns(now: Date, timeZone: string | undefined): Column<ChangedHost>[] {
  return [
    { head: 'HOST', cell: (row) => row.host.name, color: (colors) => colors.bold, shrink: 1 },
    { head: 'LAST', cell: (row) => exactClock(row.lastAt, now, timeZone), raw: (row) => row.lastAt },
    { head: 'LOADED', cell: (row) => String(row.loaded) },
    { head: 'UNLOADED', cell: (row) => String(row.unloaded) },
    { head: 'CHANGED', cell: (row) => String(row.changed) },
    { head: 'BY ACTIONS', cell: (row) => String(row.byActions) },
    {
      head: 'KMODS',
      cell: (row) =>
        row.kmods.join(',') + (row.kmodCount > row.kmods.length ? ` and ${row.kmodCount - row.kmods.length} more` : ''),
      raw: (row) => row.kmods.join(','),
      shrink: 2,
    },
    { head: 'HOST ID', cell: (row) => row.host.id, pipeOnly: true },
  ];
}
