import type { Coverage, KmodCounts, KmodHost, KmodHostList } from '@modfleet/server/api-types';
import { clock } from '../output/time.ts';
import { count, list, sentence } from '../output/words.ts';

/** Longest reason in the headline. */
const SHORT_WHY = 60;

/** What the headline rests on. */
export type Tally = Pick<KmodHostList, 'name' | 'counts' | 'lastSeen' | 'coverage'> & {
  /** Rows whose presence is not known now, as far as they are on the page. */
  readonly unknownRows: readonly KmodHost[];
  readonly selector: string | undefined;
};

/**
 * The answer in one sentence. INVARIANTS: only fresh facts count as "run" or "do not"; every other host is named as unknown; the parts add up
 * to the total.
 */
export function headline(tally: Tally, now: Date, timeZone: string | undefined): string {
  const { counts, name, coverage } = tally;
  if (coverage.total === 0)
    return tally.selector === undefined ? 'No host has joined yet.' : `No host matches ${tally.selector}.`;
  const run = counts.loaded + counts.builtin;
  const parts = [runs(run, coverage.total, name, counts), ...doNot(counts), ...unknown(tally, now, timeZone)];
  return `${parts.join('; ')}.`;
}

function runs(run: number, total: number, name: string, counts: KmodCounts): string {
  const known = run === 0 && counts.unknown > 0 ? 'are known to run' : run === 1 || total === 1 ? 'runs' : 'run';
  const how = [
    ...(counts.loaded > 0 ? [`loaded on ${counts.loaded}`] : []),
    ...(counts.builtin > 0 ? [`built in on ${counts.builtin}`] : []),
  ];
  return `${run} of ${count(total, 'host')} ${known} ${name}${how.length > 0 ? ` (${how.join(', ')})` : ''}`;
}

function doNot(counts: KmodCounts): string[] {
  const not = counts.onDisk + counts.absent;
  if (not === 0) return [];
  const disk =
    counts.onDisk === 0
      ? ''
      : counts.onDisk === not
        ? ', but could load it from disk'
        : `, but ${counts.onDisk} could load it from disk`;
  return [`${not} ${not === 1 ? 'does' : 'do'} not${disk}`];
}

function unknown(tally: Tally, now: Date, timeZone: string | undefined): string[] {
  const { counts, lastSeen, unknownRows } = tally;
  if (counts.unknown === 0) return [];
  const [only] = unknownRows;
  const why =
    counts.unknown === 1 && only !== undefined
      ? shortWhy(only, now, timeZone)
      : whyMany(counts.unknown, tally.coverage);
  const ran = lastSeen.loaded + lastSeen.builtin;
  const last =
    ran === 0
      ? ''
      : ran === counts.unknown
        ? `, running it when last seen`
        : `, ${ran} of them running it when last seen`;
  return [`${counts.unknown} unknown: ${why}${last}`];
}

function whyMany(unknowns: number, coverage: Coverage): string {
  const parts = (['silent', 'stale', 'incapable'] as const)
    .filter((word) => coverage[word] > 0)
    .map((word) => `${coverage[word]} ${word}`);
  const said = coverage.silent + coverage.stale + coverage.incapable;
  return list([...parts, ...(unknowns > said ? [`${unknowns - said} without an answer`] : [])]);
}

/** As `whyUnknown`; a reason that would fill the sentence is left to the lines below it. */
export function shortWhy(row: Parameters<typeof whyUnknown>[0], now: Date, timeZone: string | undefined): string {
  const why = whyUnknown(row, now, timeZone);
  if (why.length <= SHORT_WHY) return why;
  return row.coverage === 'incapable' ? 'it cannot report' : 'it could not say';
}

/** "silent since 02:11"; "cannot report: no loadable kmods". */
export function whyUnknown(
  row: Pick<KmodHost, 'coverage' | 'observedAt' | 'reason'>,
  now: Date,
  timeZone: string | undefined,
): string {
  const since = row.observedAt === null ? '' : ` since ${clock(row.observedAt, now, timeZone)}`;
  switch (row.coverage) {
    case 'silent':
      return row.observedAt === null ? 'silent, and never reported' : `silent${since}`;
    case 'stale':
      return row.observedAt === null
        ? 'connected, but has not reported yet'
        : `connected, but nothing observed${since}`;
    case 'incapable':
      return `cannot report${row.reason ? `: ${row.reason}` : ''}`;
    case 'fresh':
      return row.reason ?? 'could not say';
  }
}

/** Hosts that the selector may mean, but a fact that it asks for is not known of them: they are in no count. */
export function selectorUnknownLine(selectorUnknown: number): string {
  return `${count(selectorUnknown, 'more host')} may match: a fact that the selector asks for is not known now. To count them in: --include-unknown`;
}

/** "as of 14:03:22; 4 of 5 hosts fresh, 1 silent". */
export function coverageLine(coverage: Coverage, asOf: string): string {
  if (coverage.total === 0) return sentence(`as of ${asOf}.`);
  const rest = (['stale', 'silent', 'incapable'] as const)
    .filter((word) => coverage[word] > 0)
    .map((word) => `, ${coverage[word]} ${word}`);
  return `As of ${asOf}: ${coverage.fresh === coverage.total && coverage.total > 1 ? `all ${count(coverage.total, 'host')} fresh` : `${coverage.fresh} of ${count(coverage.total, 'host')} fresh`}${rest.join('')}.`;
}
