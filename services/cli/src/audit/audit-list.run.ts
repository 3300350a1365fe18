import type { AuditAlarm, AuditList, AuditRow } from '@modfleet/server/api-types';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { colorsFor } from '../output/style.ts';
import type { Column } from '../output/table.ts';
import { clock, exactClock } from '../output/time.ts';
import { count } from '../output/words.ts';

export interface AuditListOptions extends ListOptions {
  readonly who?: string;
  readonly host?: string;
  readonly kmod?: string;
  readonly what?: string;
  readonly outcome?: string;
  /** Milliseconds back from now. */
  readonly since?: number;
}

const FIELDS = [
  'id',
  'at',
  'who',
  'from',
  'what',
  'object',
  'kmod',
  'selector',
  'targets',
  'reason',
  'details',
  'outcome',
  'keyDigest',
  'intact',
] as const;

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function auditColumns(now: Date, timeZone: string | undefined): Column<AuditRow>[] {
  return [
    { head: 'AT', cell: (row) => exactClock(row.at, now, timeZone), raw: (row) => row.at },
    { head: 'WHO', cell: (row) => row.who.name, raw: (row) => `${row.who.kind}:${row.who.name}`, shrink: 2 },
    { head: 'FROM', cell: (row) => row.from.address ?? row.from.via, raw: (row) => row.from.address ?? '', shrink: 3 },
    { head: 'WHAT', cell: (row) => row.what, color: (colors) => colors.bold },
    { head: 'KMOD', cell: (row) => row.kmod ?? '', hideEmpty: true },
    { head: 'HOSTS', cell: (row) => (row.targets.count === 0 ? '' : String(row.targets.count)) },
    {
      head: 'OUTCOME',
      cell: (row) => (row.intact ? row.outcome : `${row.outcome}, CHANGED`),
      raw: (row) => row.outcome,
      color: (colors, row) => (!row.intact ? colors.red : row.outcome === 'allowed' ? colors.green : colors.yellow),
    },
    { head: 'REASON', cell: (row) => row.reason ?? '', hideEmpty: true, shrink: 1 },
    { head: 'SELECTOR', cell: (row) => row.selector ?? '', hideEmpty: true, shrink: 4 },
    { head: 'ID', cell: () => '', raw: (row) => row.id, hideEmpty: true },
  ];
}

/** `modfleet audit list`. */
export async function auditList(context: Context, options: AuditListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const { who, host, kmod, what, outcome } = options;
  const api = context.api();
  const since = options.since === undefined ? undefined : new Date(io.now().getTime() - options.since).toISOString();
  const answer = await fetchPages<AuditList>(
    (page) =>
      api.get(
        '/audit',
        { who, host, kmod, what, outcome, since, ...page },
        { host, kmod, kmodCommand: 'audit list --kmod' },
      ),
    options,
  );
  noteAlarms(answer.alarms, io);
  await printList(io, answer, {
    fields,
    columns: auditColumns(io.now(), io.timeZone),
    none: 'No such decision is on record.',
  });
  const changed = answer.items.filter((row) => !row.intact).length;
  if (changed > 0)
    io.err.write(
      `${count(changed, 'row')} of these ${changed === 1 ? 'was' : 'were'} changed, or not made by the server: modfleet audit verify\n`,
    );
  return EXIT.ok;
}

/** Says on stderr what is wrong with the record. */
export function noteAlarms(alarms: readonly AuditAlarm[], io: Io): void {
  const colors = colorsFor(io, io.err);
  for (const { text, since } of alarms)
    io.err.write(
      `${colors.red('The audit log needs a look')} since ${clock(since, io.now(), io.timeZone)}: ${clean(text)}\n`,
    );
}
