import type { RolloutList, RolloutTarget } from '@modfleet/server/api-types';
import type { Column } from '../../output/table.ts';
import { clock } from '../../output/time.ts';
import type { Colors } from '../../output/style.ts';
import { hostsText } from '../plan/plan-words.ts';
import { typedVerb } from '../verbs.ts';
import { type AnyRollout, tally } from './tally.ts';

export type RolloutSummary = RolloutList['items'][number];

/** The table of rollouts. The order of raw cells is part of the command's contract (docs/cli.md). */
export function rolloutColumns(now: Date, timeZone: string | undefined): Column<RolloutSummary>[] {
  return [
    { head: 'ROLLOUT', cell: (row) => row.id },
    { head: 'ASKED', cell: (row) => clock(row.createdAt, now, timeZone), raw: (row) => row.createdAt },
    {
      head: 'STATE',
      cell: (row) => row.state.replace('_', ' '),
      raw: (row) => row.state,
      color: (colors, row) => stateColor(colors, row),
    },
    { head: 'VERB', cell: (row) => typedVerb(row.verb) },
    { head: 'KMOD', cell: (row) => row.kmod },
    { head: 'HOSTS', cell: (row) => String(row.hosts) },
    { head: 'ENDED', cell: (row) => String(row.ended) },
    { head: 'AS ASKED', cell: (row) => String(row.asAsked) },
    { head: 'BY', cell: (row) => row.requestedBy, shrink: 2 },
    { head: 'WHICH HOSTS', cell: (row) => hostsText(row.selector), raw: (row) => row.selector ?? '', shrink: 3 },
    { head: 'ENDED AT', cell: (row) => row.endedAt ?? '', pipeOnly: true },
  ];
}

function stateColor(colors: Colors, row: RolloutSummary): (text: string) => string {
  if (row.state === 'paused' || row.state === 'awaiting_approval') return colors.yellow;
  if (row.state === 'failed' || row.state === 'aborted') return colors.red;
  return row.state === 'succeeded' && row.asAsked === row.hosts ? colors.green : (text) => text;
}

/** A rollout as it stands in the table. */
export function rolloutSummary(rollout: AnyRollout): RolloutSummary {
  const { id, state, verb, kmod, selector, requestedBy, createdAt, endedAt, counts } = rollout;
  const { total: hosts, ended, asAsked } = tally(counts);
  return { id, state, verb, kmod, selector, requestedBy, createdAt, endedAt, hosts, ended, asAsked };
}

const WAITS = { unreachable: 'not connected', in_use: 'in use' } as const;

/** The hosts of a rollout. The order of raw cells is part of the command's contract (docs/cli.md). */
export const rolloutTargetColumns: Column<RolloutTarget>[] = [
  { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
  { head: 'WAVE', cell: (row) => String(row.wave) },
  { head: 'STATE', cell: targetState, raw: (row) => row.state, color: targetColor },
  { head: 'OUTCOME', cell: (row) => row.resolvedOutcome ?? row.outcome ?? '', pipeOnly: true },
  { head: 'CODE', cell: (row) => row.code, hideEmpty: true },
  { head: 'MESSAGE', cell: (row) => row.message, hideEmpty: true, shrink: 4 },
  {
    head: 'HEALTH',
    cell: (row) => row.health.map(({ what, detail }) => (detail === '' ? what : `${what}: ${detail}`)).join('; '),
    hideEmpty: true,
    shrink: 3,
    color: (colors) => colors.red,
  },
  { head: 'PUT BACK', cell: backText, hideEmpty: true, shrink: 2 },
  {
    head: 'EVIDENCE',
    cell: (row) => row.evidence.map(({ kind, value }) => `${kind}: ${value}`).join('; '),
    hideEmpty: true,
    shrink: 5,
  },
  {
    head: 'TRIES',
    cell: (row) => (row.attempts > 1 ? String(row.attempts) : ''),
    raw: (row) => String(row.attempts),
    hideEmpty: true,
  },
  { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
  { head: 'ACTION', cell: (row) => row.action ?? '', pipeOnly: true },
];

function targetState(row: RolloutTarget): string {
  const late = row.late ? ', late' : '';
  if (row.state === 'ended') {
    const first =
      row.resolvedOutcome === null || row.outcome === null ? '' : ` (first ${row.outcome.replace('_', ' ')})`;
    return `${(row.resolvedOutcome ?? row.outcome ?? 'ended').replace('_', ' ')}${first}${late}`;
  }
  if (row.state === 'pending') return `to come${late}`;
  return `${row.state}${row.wait === null ? '' : `: ${WAITS[row.wait]}`}${late}`;
}

function targetColor(colors: Colors, row: RolloutTarget): (text: string) => string {
  const outcome = row.resolvedOutcome ?? row.outcome;
  if (outcome === null) return (text) => text;
  if (outcome === 'succeeded' || outcome === 'unchanged') return colors.green;
  return ['unreachable', 'unconfirmed', 'interrupted', 'not_run'].includes(outcome) ? colors.yellow : colors.red;
}

/** Of the roll back of one host. */
function backText({ rollback }: RolloutTarget): string {
  if (rollback === null) return '';
  const state = rollback.outcome ?? (rollback.state === 'pending' ? 'to come' : rollback.state);
  return rollback.message === '' ? state : `${state}: ${rollback.message}`;
}
