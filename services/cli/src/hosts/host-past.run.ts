import type { HostPast, PastKmod } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { type Moment, momentIso } from '../command-line/moment.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { type JsonOption, jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze, printRows } from '../output/page.ts';
import type { Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { seenWords } from './past-words.ts';

const FIELDS = ['host', 'at', 'asOf', 'keptSince', 'seen', 'seenAt', 'seenNext', 'unknown', 'kmods', 'freeze'] as const;

/** First characters of a build id that a page shows; a pipe gets it whole. */
const BUILD_ID_SHORT = 8;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function hostPastColumns(): Column<PastKmod>[] {
  const known = (row: PastKmod, text: string): string => (row.whole || text !== '' ? text : '?');
  return [
    { head: 'KMOD', cell: (row) => row.name, color: (colors) => colors.bold },
    {
      head: 'BUILD',
      cell: (row) => known(row, (row.buildId ?? '').slice(0, BUILD_ID_SHORT)),
      raw: (row) => known(row, row.buildId ?? ''),
    },
    { head: 'VERSION', cell: (row) => known(row, row.version ?? ''), hideEmpty: true },
    { head: 'TAINT', cell: (row) => known(row, row.taint ?? ''), hideEmpty: true },
    { head: 'SIZE', cell: (row) => known(row, row.size === null ? '' : String(row.size)) },
  ];
}

/** `modfleet hosts show HOST --at TIME`. */
export async function hostPast(
  context: Context,
  name: string,
  options: { readonly at: Moment; readonly json?: JsonOption },
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const at = momentIso(options.at, io.now());
  const past = await context.api().get<HostPast>(path`/hosts/${name}/past`, { at }, { host: name });
  noteFreeze(past.freeze, io);
  if (fields) {
    io.out.write(renderJson(pick(past, fields), io.out.isTty));
    return EXIT.ok;
  }
  const talk = io.out.isTty ? io.out : io.err;
  talk.write(`${headline(past, io.now(), io.timeZone)}\n`);
  if (past.kmods !== null && past.kmods.length > 0) {
    if (io.out.isTty) io.out.write('\n');
    printRows(io, hostPastColumns(), past.kmods);
    if (past.kmods.some((kmod) => !kmod.whole))
      talk.write(`${io.out.isTty ? '\n' : ''}"?": it was unloaded since, and its build was not kept.\n`);
  }
  return EXIT.ok;
}

function headline(past: HostPast, now: Date, timeZone: string | undefined): string {
  const what = `${clean(past.host.name)} at ${exactClock(past.at, now, timeZone)}`;
  const seen = seenWords(past, now, timeZone);
  if (past.kmods === null) return `${what}: ${seen}.`;
  const many = `${count(past.kmods.length, 'kmod')} loaded`;
  return past.seen
    ? `${what}: ${many}; it was ${seen}.`
    : `${what}: ${seen}. ${many} when it was last seen; what came and went while it was away is not known.`;
}
