import type { KmodAnswer, QueryAnswer, QueryEnd, QueryStart } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable, type Column } from '../output/table.ts';
import { exactClock, seconds } from '../output/time.ts';
import { count, hostWord, list, shellWord } from '../output/words.ts';
import { wrap } from '../output/width.ts';
import { blockLines } from './blocks.ts';
import { presenceCell, shortBuild } from './kmod-host-columns.ts';
import type { PresenceFilter } from './presences.ts';

/** All that came back. */
export interface LiveAnswer {
  readonly name: string;
  readonly requested: string;
  readonly selector: string | undefined;
  readonly timeoutMs: number;
  readonly start: QueryStart;
  readonly end: QueryEnd;
  readonly answers: readonly QueryAnswer[];
}

/** One host's answer about the one kmod. */
export interface LiveRow extends KmodAnswer {
  readonly host: QueryAnswer['host'];
  readonly elapsedMs: number;
}

const RUNNING: readonly PresenceFilter[] = ['loaded', 'builtin'];

function allRows(answer: LiveAnswer): LiveRow[] {
  const rows = answer.answers.flatMap(({ host, kmods, elapsedMs }) =>
    kmods.map((kmod) => ({ ...kmod, host, elapsedMs })),
  );
  return rows.sort((a, b) => a.host.name.localeCompare(b.host.name, 'en'));
}

/** The rows of the wanted presences; by default the hosts that run it. */
export function liveRows(answer: LiveAnswer, presence: readonly PresenceFilter[] = RUNNING): LiveRow[] {
  return allRows(answer).filter((row) => presence.includes('any') || presence.includes(row.presence ?? 'unknown'));
}

/** Hosts by what they said; who did not answer, or could not say, is unknown. */
export function liveCounts(answer: LiveAnswer) {
  const counts = { loaded: 0, builtin: 0, onDisk: 0, absent: 0, unknown: 0 };
  for (const row of allRows(answer))
    counts[row.presence === null ? 'unknown' : row.presence === 'on_disk' ? 'onDisk' : row.presence] += 1;
  const said = counts.loaded + counts.builtin + counts.onDisk + counts.absent;
  return { ...counts, unknown: Math.max(0, answer.end.targets - said) };
}

/** "2 of 3 hosts run e1000e now (loaded on 2); 1 did not answer: web-3 (silent)." */
export function liveSentence(answer: LiveAnswer): string {
  const { name, end } = answer;
  if (end.targets === 0)
    return answer.selector === undefined ? 'No host has joined yet.' : `No host matches ${answer.selector}.`;
  const counts = liveCounts(answer);
  const run = counts.loaded + counts.builtin;
  const how = [
    ...(counts.loaded > 0 ? [`loaded on ${counts.loaded}`] : []),
    ...(counts.builtin > 0 ? [`built in on ${counts.builtin}`] : []),
  ];
  const not = counts.onDisk + counts.absent;
  const isOne = end.targets === 1;
  const saying = isOne ? 'says that it runs' : 'say that they run';
  const verb = counts.unknown > 0 && run === 0 ? saying : run === 1 || isOne ? 'runs' : 'run';
  const parts = [
    `${run} of ${count(end.targets, 'host')} ${verb} ${name} now${how.length > 0 ? ` (${how.join(', ')})` : ''}`,
  ];
  if (not > 0)
    parts.push(
      `${not} ${not === 1 ? 'does' : 'do'} not${counts.onDisk > 0 ? `, but ${counts.onDisk === not ? '' : `${counts.onDisk} `}could load it from disk` : ''}`,
    );
  const silent = end.noAnswer.length;
  if (silent > 0) parts.push(`${silent} did not answer: ${reasons(end)}`);
  if (counts.unknown > silent) parts.push(`${counts.unknown - silent} could not say`);
  return `${parts.join('; ')}.`;
}

function reasons(end: QueryEnd): string {
  const [first] = end.noAnswer;
  if (first !== undefined && end.noAnswer.length === 1) return `${first.host.name} (${WHY[first.reason]})`;
  const words = (['silent', 'timeout', 'error'] as const).map(
    (word) => [word, end.noAnswer.filter((host) => host.reason === word).length] as const,
  );
  return list(words.filter(([, n]) => n > 0).map(([word, n]) => `${n} ${WHY[word]}`));
}

/** Why nothing came, in words; an `error` is a host that says it cannot answer. */
const WHY = { silent: 'silent', timeout: 'timeout', error: 'cannot answer' } as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export const liveColumns: Column<LiveRow>[] = [
  { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
  {
    head: 'STATE',
    cell: (row) => (row.presence === null ? 'could not say' : presenceCell(row)),
    raw: (row) => row.presence ?? 'unknown',
    color: (colors) => colors.green,
  },
  { head: 'REFS', cell: (row) => (row.refcount === null ? '' : String(row.refcount)), hideEmpty: true },
  { head: 'HELD BY', cell: (row) => row.holders.join(','), hideEmpty: true, shrink: 3 },
  {
    head: 'BUILD',
    cell: (row) =>
      [row.loaded?.version ?? '', shortBuild(row.loaded?.buildId ?? null)].filter((part) => part !== '').join(' '),
    raw: (row) => row.loaded?.buildId ?? '',
    hideEmpty: true,
    shrink: 2,
  },
  { head: 'TAINT', cell: (row) => row.loaded?.taint ?? '', hideEmpty: true },
  { head: 'ANSWERED IN', cell: (row) => seconds(row.elapsedMs), raw: (row) => String(row.elapsedMs) },
  { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
];

const silentColumns: Column<QueryEnd['noAnswer'][number]>[] = [
  { head: 'HOST', cell: (row) => row.host.name, shrink: 1, color: (colors) => colors.bold },
  { head: 'WHY', cell: (row) => WHY[row.reason], color: (colors) => colors.yellow },
  { head: 'DETAIL', cell: (row) => row.detail, shrink: 2, hideEmpty: true },
];

export function renderLive(answer: LiveAnswer, presence: readonly PresenceFilter[] | undefined, io: Io): string {
  const colors = colorsFor(io, io.out);
  const width = io.out.columns;
  const rows = liveRows(answer, presence);
  const { start, end, name } = answer;
  const parts = wrap(clean(liveSentence(answer)), width).map((line) => `${colors.bold(line)}\n`);
  const all =
    end.answered === end.targets
      ? `all ${count(end.targets, 'host')}`
      : `${end.answered} of ${count(end.targets, 'host')}`;
  parts.push(
    colors.dim(
      `Asked at ${exactClock(start.asOf, io.now(), io.timeZone)}: ${all} answered within ${seconds(end.elapsedMs)}.\n`,
    ),
  );
  if (rows.length > 0) parts.push('\n', renderTable(liveColumns, rows, width, colors));
  const blocks = blockLines(rows);
  if (blocks.length > 0)
    parts.push(
      '\nBlocked; what is loaded stays until it is unloaded:\n',
      ...blocks.map((line) => `  ${clean(line)}\n`),
    );
  const speechless = allRows(answer).filter((row) => row.presence === null);
  if (speechless.length > 0) {
    parts.push(`\nAnswered, but could not say: ${count(speechless.length, 'host')}.\n`);
    for (const { host, reason } of speechless)
      parts.push(
        ...wrap(`  ${clean(host.name)}: ${clean(reason ?? 'no reason given')}`, width, '    ').map(
          (line) => `${line}\n`,
        ),
      );
  }
  if (end.noAnswer.length > 0) {
    parts.push(
      `\nNo answer: ${count(end.noAnswer.length, 'host')}.\n`,
      renderTable(silentColumns, end.noAnswer, width, colors),
    );
  }
  const loaded = rows.find((row) => row.presence === 'loaded')?.host;
  const only = answer.selector === undefined ? '' : ` -l ${shellWord(answer.selector)}`;
  const next: [string, string][] = [];
  if (loaded !== undefined)
    next.push(['what an unload would do', `modfleet kmods unload ${name} --host ${hostWord(loaded)} --dry-run`]);
  if (end.noAnswer.some((host) => host.reason === 'timeout'))
    next.push(['wait longer', `modfleet kmods hosts ${name}${only} --live --timeout 10s`]);
  const [mute] = speechless;
  if (mute !== undefined)
    next.push([`what ${mute.host.name} can report`, `modfleet hosts show ${hostWord(mute.host)}`]);
  if (end.noAnswer.length > 0)
    next.push(['what they last said', `modfleet kmods hosts ${name}${only} --presence unknown`]);
  return parts.join('') + renderNext(next);
}
