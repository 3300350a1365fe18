import type { RolloutWave } from '@modfleet/server/api-types';
import type { Io, Sink } from '../../io.ts';
import { renderFields, renderNext } from '../../output/page.ts';
import { colorsFor, type Colors } from '../../output/style.ts';
import { renderTable, type Column } from '../../output/table.ts';
import { clock, exactClock } from '../../output/time.ts';
import { count } from '../../output/words.ts';
import { wideFor, type Wide } from '../../output/wide.ts';
import { hostsText, sampleText } from '../plan/plan-words.ts';
import { messageSentence, rolloutHeadline } from './headline.ts';
import { nextCommands } from './next.ts';
import { optionLines } from './options-words.ts';
import { type AnyRollout, isEnded, needsPerson, tally } from './tally.ts';

/** Causes of failures shown; the JSON has more. */
const CAUSES = 10;

/** The page of a rollout: how it stands and why, its waves, what failed, what the budget says, and what can be done. */
export function renderRollout(rollout: AnyRollout, io: Io, sink: Sink = io.out): string {
  const colors = colorsFor(io, sink);
  const wide = wideFor(sink);
  const said = messageSentence(rollout);
  return [
    ...wide(`${rolloutHeadline(rollout)}.`).map((line) => colors.bold(headColor(rollout, colors)(line))),
    ...(said === '' ? [] : wide(said)),
    '\n',
    facts(rollout, io),
    `\nWaves:\n`,
    renderTable(waveColumns(io, rollout.rollback !== null), rollout.waves, sink.columns, colors, '  '),
    ...failureLines(rollout, colors, wide),
    ...budgetLines(rollout, colors, wide),
    renderNext(nextCommands(rollout)),
  ].join('');
}

export function headColor(rollout: AnyRollout, colors: Colors): (text: string) => string {
  if (needsPerson(rollout)) return colors.yellow;
  if (rollout.state === 'failed' || rollout.state === 'aborted') return colors.red;
  const { total, asAsked } = tally(rollout.counts);
  if (rollout.state !== 'succeeded') return (text) => text;
  return asAsked === total && rollout.canReturn === 0 ? colors.green : colors.yellow;
}

function facts(rollout: AnyRollout, io: Io): string {
  const when = (iso: string | null) => (iso === null ? null : clock(iso, io.now(), io.timeZone));
  const parameters = Object.entries(rollout.parameters).map(([key, value]) => `${key}=${value}`);
  return renderFields([
    ['rollout', rollout.id],
    ['plan', rollout.plan],
    ['tries again', rollout.parent],
    ['hosts', hostsText(rollout.selector)],
    ['parameters', parameters.join(' ')],
    ['confirm within', rollout.confirmWindow === null ? null : `${rollout.confirmWindow} s`],
    [
      'asked',
      `${when(rollout.createdAt)} by ${rollout.requestedBy}${rollout.reason === null ? '' : `: ${rollout.reason}`}`,
    ],
    ['approved', rollout.approval && `${when(rollout.approval.at)} by ${rollout.approval.by}`],
    ['began', when(rollout.startedAt)],
    ['ended', when(rollout.endedAt)],
    ['deadline', isEnded(rollout) ? null : exactClock(rollout.deadlineAt, io.now(), io.timeZone)],
    ...optionLines(rollout.options),
  ]);
}

/** A wave by its number, from 0, as the API and the timeline have it. */
export function waveName(wave: Pick<RolloutWave, 'wave' | 'canary'>): string {
  return `${wave.wave}${wave.canary ? ' (canary)' : ''}`;
}

export function waveState(wave: RolloutWave, io: Pick<Io, 'now' | 'timeZone'>): string {
  if (wave.state === 'pending') return 'to come';
  if (wave.state === 'not_run') return 'not run';
  if (wave.state !== 'baking' || wave.bakeUntil === null) return wave.state;
  return `baking until ${exactClock(wave.bakeUntil, io.now(), io.timeZone)}`;
}

/** `before`: hosts were put back since, so that what a wave reached is no news of them. */
function waveColumns(io: Io, before: boolean): Column<RolloutWave>[] {
  const n = (head: string, of: (wave: RolloutWave) => number, bad = false): Column<RolloutWave> => ({
    head,
    cell: (row) => (of(row) === 0 ? '' : String(of(row))),
    hideEmpty: true,
    ...(bad ? { color: (colors: Colors) => colors.red } : {}),
  });
  return [
    { head: 'WAVE', cell: waveName },
    { head: 'STATE', cell: (row) => waveState(row, io) },
    { head: 'HOSTS', cell: (row) => String(row.counts.total) },
    { head: before ? 'WAS AS ASKED' : 'AS ASKED', cell: (row) => String(tally(row.counts).asAsked) },
    n('NOT SO', (row) => tally(row.counts).notSo, true),
    n('NOT KNOWN', (row) => tally(row.counts).notKnown, true),
    n('NOT HEALTHY', (row) => row.counts.unhealthy, true),
    n('UNDER WAY', (row) => row.counts.dispatched),
    n('WAITING', (row) => row.counts.waiting),
    n('TO COME', (row) => row.counts.pending),
  ];
}

/** What failed, by cause, the most hosts first. */
export function failureLines({ failures }: AnyRollout, colors: Colors, wide: Wide): string[] {
  if (failures.length === 0) return [];
  const shown = failures.slice(0, CAUSES);
  return [
    '\nNot as asked, by cause:\n',
    ...shown.flatMap(({ kind, code, message, hosts, sample }) => {
      const cause = code === '' || code === kind ? kind : `${kind} (${code})`;
      const [first = '', ...more] = wide(`  ${cause}  ${count(hosts, 'host')}: ${message}`, '    ');
      return [colors.red(first), ...more, ...wide(`    on ${sampleText(sample, hosts)}`, '      ')];
    }),
    ...(failures.length > shown.length ? [`  and ${failures.length - shown.length} more causes\n`] : []),
  ];
}

/** Limits of which something is used up; those that nothing counts against say nothing. */
function budgetLines({ budget }: AnyRollout, colors: Colors, wide: Wide): string[] {
  const used = budget.filter((line) => line.count > 0 || line.exceeded);
  if (used.length === 0) return [];
  return [
    '\nBudget:\n',
    ...used.flatMap(({ kind, count: n, limit, scope, exceeded }) => {
      const lines = wide(
        `  ${scope === 'wave' ? 'wave.' : ''}${kind}: ${n}, at most ${limit}${exceeded ? '; exceeded' : ''}`,
        '    ',
      );
      return exceeded ? lines.map((line) => colors.red(line)) : lines;
    }),
  ];
}
