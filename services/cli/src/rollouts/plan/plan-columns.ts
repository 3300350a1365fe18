import type { PlanTarget, RolloutPlanList } from '@modfleet/server/api-types';
import type { Column } from '../../output/table.ts';
import { clock } from '../../output/time.ts';
import { typedVerb } from '../verbs.ts';
import { hostsText } from './plan-words.ts';

export type PlanSummary = RolloutPlanList['items'][number];

/** The table of plans. The order of raw cells is part of the command's contract (docs/cli.md). */
export function planColumns(now: Date, timeZone: string | undefined): Column<PlanSummary>[] {
  return [
    { head: 'PLAN', cell: (row) => row.id },
    { head: 'ASKED', cell: (row) => clock(row.createdAt, now, timeZone), raw: (row) => row.createdAt },
    { head: 'STATE', cell: (row) => row.state },
    { head: 'VERB', cell: (row) => typedVerb(row.verb) },
    { head: 'KMOD', cell: (row) => row.kmod },
    { head: 'HOSTS', cell: (row) => String(row.hosts) },
    { head: 'GOOD UNTIL', cell: (row) => clock(row.expiresAt, now, timeZone), raw: (row) => row.expiresAt },
    { head: 'BY', cell: (row) => row.requestedBy, shrink: 2 },
    { head: 'WHICH HOSTS', cell: (row) => hostsText(row.selector), raw: (row) => row.selector ?? '', shrink: 3 },
  ];
}

const STANDINGS: Readonly<Record<NonNullable<PlanTarget['standing']>, string>> = {
  would_change: 'would change',
  unchanged: 'already so',
  refused: 'refuses',
  unknown: 'cannot say',
};

/** The hosts of a plan. The order of raw cells is part of the command's contract (docs/cli.md). */
export const planTargetColumns: Column<PlanTarget>[] = [
  { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
  {
    head: 'STANDING',
    cell: (row) => (row.standing === null ? 'not answered yet' : STANDINGS[row.standing]),
    raw: (row) => row.standing ?? '',
    color: (colors, row) => standingColor(colors, row.standing),
  },
  { head: 'CLASS', cell: (row) => (row.class === null ? '' : String(row.class)), hideEmpty: true },
  { head: 'CODE', cell: (row) => row.code, hideEmpty: true },
  { head: 'MESSAGE', cell: (row) => row.message, hideEmpty: true, shrink: 4 },
  {
    head: 'EVIDENCE',
    cell: (row) => row.evidence.map(({ kind, value }) => `${kind}: ${value}`).join('; '),
    hideEmpty: true,
    shrink: 5,
  },
  { head: 'KERNEL', cell: (row) => row.kernelRelease, shrink: 2 },
  { head: 'HARDWARE', cell: (row) => row.hardware, shrink: 3 },
  { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
  { head: 'ACTION', cell: (row) => row.action ?? '', pipeOnly: true },
];

function standingColor(
  colors: Parameters<NonNullable<Column<PlanTarget>['color']>>[0],
  standing: PlanTarget['standing'],
): (text: string) => string {
  if (standing === 'refused') return colors.red;
  return standing === 'unknown' || standing === null ? colors.yellow : colors.green;
}
