import type { AuditProgress, AuditReport } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { renderFields } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { exactClock, seconds, span } from '../output/time.ts';
import { count } from '../output/words.ts';
import { noteAlarms } from './audit-list.run.ts';

export interface AuditVerifyOptions {
  readonly json?: JsonOption;
}

const FIELDS = [
  'intact',
  'firstBadRow',
  'problemCount',
  'problems',
  'rows',
  'sealedRows',
  'unsealedRows',
  'unsealedAgeMs',
  'seals',
  'lastSeal',
  'exported',
  'macsChecked',
  'appendOnly',
  'proven',
  'notProven',
  'publicKey',
  'alarms',
  'durationMs',
] as const;
const PROBLEMS_SHOWN = 10;

/** `modfleet audit verify`: exit 1 when something is wrong. */
export async function auditVerify(context: Context, options: AuditVerifyOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const report = await verified(context);
  noteAlarms(report.alarms, io);
  if (fields) io.out.write(renderJson(pick(report, fields), io.out.isTty));
  else io.out.write(renderReport(report, io));
  return report.intact ? EXIT.ok : EXIT.negative;
}

async function verified(context: Context): Promise<AuditReport> {
  const { io } = context;
  const lively = io.err.isTty && io.env['TERM'] !== 'dumb';
  let report: AuditReport | undefined;
  for await (const { event, data } of context.api().stream({ method: 'GET', path: '/audit/verify' })) {
    if (event === 'report') report = data as AuditReport;
    else if (event === 'progress' && lively) {
      const { rows, of } = data as AuditProgress;
      io.err.write(`\r${rows} of ${of} rows checked `);
    }
  }
  if (lively) io.err.write('\r\u001b[K');
  if (report !== undefined) return report;
  throw new CliError('the server stopped in the middle of the verification', {
    exitCode: EXIT.unreachable,
    hints: ['try again; the log of the server says why'],
  });
}

/** The report for people. */
export function renderReport(report: AuditReport, io: Io): string {
  const colors = colorsFor(io, io.out);
  const { problems, problemCount, lastSeal } = report;
  const verdict = report.intact
    ? colors.green('The audit log is whole, as far as it can be proven.')
    : colors.red(`The audit log is NOT whole: ${count(problemCount, 'problem')}.`);
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ kind, text }) => `  ${kind}: ${clean(text)}\n`);
  const more = problemCount > shown.length ? `  and ${problemCount - shown.length} more\n` : '';
  const fields = renderFields([
    ['first bad row', report.firstBadRow],
    ['rows', `${report.rows}, ${report.sealedRows} of them sealed`],
    [
      'without a seal',
      report.unsealedRows === 0 ? 'none' : `${report.unsealedRows}, the oldest for ${span(report.unsealedAgeMs ?? 0)}`,
    ],
    ['last seal', lastSeal === null ? 'none' : `${lastSeal.number}, ${exactClock(lastSeal.at, io.now(), io.timeZone)}`],
    [
      'exported',
      report.exported === null ? 'no file to compare with' : `${count(report.exported.seals, 'seal')}, compared`,
    ],
    ['append-only', `${report.appendOnly.enforced ? 'enforced' : 'NOT enforced'}: ${report.appendOnly.why}`],
    ['took', seconds(report.durationMs)],
  ]);
  return `${verdict}\n${shown.join('')}${more}\n${fields}${block('Proven', report.proven)}${block('Not proven', report.notProven)}`;
}

function block(head: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${head}:\n${lines.map((line) => `  - ${clean(line)}\n`).join('')}`;
}
