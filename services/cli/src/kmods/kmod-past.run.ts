import type { KmodPast, KmodPastHost } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages, noteMore } from '../api/pages.ts';
import { type Moment, momentIso } from '../command-line/moment.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { seenWords } from '../hosts/past-words.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze, printRows } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { selectorUnknownLine } from './headline.ts';
import type { KmodHostsOptions } from './kmod-hosts.run.ts';

const FIELDS = [
  'name',
  'requested',
  'resolvedBy',
  'at',
  'asOf',
  'keptSince',
  'counts',
  'lastSeen',
  'selectorUnknown',
  'items',
  'nextCursor',
  'freeze',
] as const;

const PRESENCE_WORDS: Readonly<Record<KmodPastHost['presence'], string>> = {
  loaded: 'loaded',
  not_loaded: 'not loaded',
  unknown: 'unknown',
};

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function kmodPastColumns(now: Date, timeZone: string | undefined): Column<KmodPastHost>[] {
  return [
    { head: 'HOST', cell: (row) => row.host.name, color: (colors) => colors.bold },
    { head: 'STATE', cell: (row) => PRESENCE_WORDS[row.presence], raw: (row) => row.presence },
    { head: 'SEEN', cell: (row) => seenWords(row, now, timeZone), raw: (row) => row.seenAt ?? '' },
    { head: 'ID', cell: (row) => row.host.id, pipeOnly: true },
    { head: 'NEXT SEEN', cell: (row) => row.seenNext ?? '', pipeOnly: true },
  ];
}

/** `modfleet kmods hosts NAME --at TIME`. */
export async function kmodPast(
  context: Context,
  name: string,
  options: KmodHostsOptions & { readonly at: Moment },
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const at = momentIso(options.at, io.now());
  const presence = pastPresence(options);
  const { selector, includeUnknown } = options;
  const answer = await fetchPages<KmodPast>(
    (page) =>
      context
        .api()
        .get(path`/kmods/${name}/past`, { at, selector, includeUnknown, presence, ...page }, { selector, kmod: name }),
    options,
  );
  noteFreeze(answer.freeze, io);
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else {
    const talk = io.out.isTty ? io.out : io.err;
    talk.write(`${headline(answer, io.now(), io.timeZone)}\n`);
    if (answer.selectorUnknown > 0) talk.write(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
    if (io.out.isTty && answer.items.length > 0) io.out.write('\n');
    printRows(io, kmodPastColumns(io.now(), io.timeZone), answer.items);
    noteMore(answer, io);
  }
  if (!options.exitStatus) return EXIT.ok;
  if (answer.counts.unknown + answer.selectorUnknown > 0) return EXIT.incomplete;
  return answer.counts.loaded > 0 ? EXIT.ok : EXIT.negative;
}

/** Only what was loaded has a history. */
function pastPresence({ presence }: KmodHostsOptions): string | undefined {
  if (presence === undefined) return undefined;
  const wrong = presence.find((word) => word !== 'loaded' && word !== 'unknown' && word !== 'any');
  if (wrong !== undefined)
    throw usageError(
      `--presence ${wrong} cannot be told of the past: only what was loaded is on record`,
      'with --at: loaded, unknown, any',
    );
  return presence.join(',');
}

function headline(answer: KmodPast, now: Date, timeZone: string | undefined): string {
  const { counts, lastSeen } = answer;
  const total = counts.loaded + counts.notLoaded + counts.unknown;
  const when = exactClock(answer.at, now, timeZone);
  const known = `${clean(answer.name)} was loaded on ${counts.loaded} of ${count(total, 'host')} at ${when}`;
  if (counts.unknown === 0) return `${known}.`;
  const last = lastSeen.loaded === 0 ? '' : `; ${lastSeen.loaded} of these had it when they were last seen before`;
  return `${known}; ${count(counts.unknown, 'host')} unknown: not connected then${last}.`;
}
