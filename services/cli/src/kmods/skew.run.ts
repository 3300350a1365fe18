import type { KmodSkew, KmodSkewList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages, noteMore } from '../api/pages.ts';
import type { ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze, printRows, renderNext } from '../output/page.ts';
import { exactClock } from '../output/time.ts';
import { count, hostWord, shellWord } from '../output/words.ts';
import { coverageLine, selectorUnknownLine } from './headline.ts';
import { SKEW_KINDS, skewColumns, variantColumns } from './skew-columns.ts';

export interface SkewOptions extends ListOptions, SelectorOptions {
  readonly name?: string;
  readonly kind?: readonly (typeof SKEW_KINDS)[number][];
}

const LIST_FIELDS = [
  'name',
  'hosts',
  'builds',
  'versions',
  'signers',
  'fileDiffers',
  'fileMissing',
  'fileUnknown',
  'outOfTree',
  'unsigned',
  'first',
] as const;

const FIELDS = [
  'name',
  'requested',
  'resolvedBy',
  'candidates',
  'hosts',
  'items',
  'nextCursor',
  'parameters',
  'first',
  'selectorUnknown',
  'coverage',
  'asOf',
  'freeze',
] as const;

/** `modfleet kmods skew [NAME]`. */
export function kmodsSkew(context: Context, name: string | undefined, options: SkewOptions): Promise<ExitCode> {
  if (name === undefined) return listSkew(context, options);
  const fleetOnly = options.name === undefined ? options.kind && '--kind' : '--name';
  if (fleetOnly !== undefined) throw usageError(`${fleetOnly} is for all kmods; here one is named`);
  return showSkew(context, name, options);
}

async function listSkew(context: Context, options: SkewOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, LIST_FIELDS);
  const api = context.api();
  const { selector, includeUnknown, name } = options;
  const query = { selector, includeUnknown, name, kind: options.kind?.join(',') };
  const answer = await fetchPages<KmodSkewList>(
    (page) => api.get('/skew/kmods', { ...query, ...page }, { selector }),
    options,
  );
  const columns = skewColumns(io.now(), io.timeZone);
  await printList(io, answer, { fields, columns, none: 'No kmod is odd on the hosts that are known.' });
  tellStanding(answer, io);
  if (io.out.isTty && fields === undefined && answer.items[0] !== undefined)
    io.err.write(renderNext([['where, and in which ways', `modfleet kmods skew ${answer.items[0].name}`]]));
  return EXIT.ok;
}

async function showSkew(context: Context, name: string, options: SkewOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const { selector, includeUnknown } = options;
  const answer = await fetchPages<KmodSkew>(
    (page) => api.get(path`/kmods/${name}/skew`, { selector, includeUnknown, ...page }, { selector, kmod: name }),
    options,
  );
  noteFreeze(answer.freeze, io);
  if (fields !== undefined) {
    io.out.write(renderJson(pick(answer, fields), io.out.isTty));
    return EXIT.ok;
  }
  printRows(io, variantColumns(), answer.items);
  if (answer.items.length === 0) io.err.write(`No host that is known has ${answer.name} loaded.\n`);
  for (const line of [...parameterLines(answer), ...firstLines(answer, io)]) io.err.write(`${clean(line)}\n`);
  noteMore(answer, io);
  tellStanding(answer, io);
  if (io.out.isTty) io.err.write(renderNext(nextCommands(answer, selector)));
  return EXIT.ok;
}

function parameterLines({ parameters, hosts }: KmodSkew): string[] {
  if (parameters === null || hosts === 0) return [];
  const { compared, of, differing } = parameters;
  const basis = compared === of ? `all ${count(of, 'host')}` : `${compared} of ${count(of, 'host')}`;
  if (compared === 0) return ['Parameters: known of no host now.'];
  if (differing.length === 0) return [`Parameters: the same on ${basis}.`];
  return [
    `Parameters that differ, on ${basis}:`,
    ...differing.map(({ parameter, values, valueCount }) => {
      const shown = values.map(
        ({ value, hosts: on, examples }) =>
          `${value ?? 'unreadable'} on ${on}${on <= 3 ? ` (${examples.map((host) => host.name).join(', ')})` : ''}`,
      );
      const more = valueCount > values.length ? `; and ${valueCount - values.length} more values` : '';
      return `  ${parameter}: ${shown.join('; ')}${more}`;
    }),
  ];
}

function firstLines({ first, name }: KmodSkew, io: Io): string[] {
  if (first === null) return [`No event of ${name} coming is on record.`];
  const by = first.actionId === null ? 'by none of our actions' : `by action ${first.actionId}`;
  const at = exactClock(first.at, io.now(), io.timeZone);
  return [`First on record: ${first.kind} on ${first.host.name} at ${at}, ${by}.`];
}

function tellStanding(answer: Pick<KmodSkewList, 'coverage' | 'asOf' | 'selectorUnknown'>, io: Io): void {
  if (answer.selectorUnknown > 0) io.err.write(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
  if (!io.out.isTty && answer.coverage.fresh === answer.coverage.total) return;
  io.err.write(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`);
}

function nextCommands(answer: KmodSkew, selector: string | undefined): [string, string][] {
  const only = selector === undefined ? '' : ` -l ${shellWord(selector)}`;
  const odd = answer.items.find((row) => !row.mostCommon || row.file === 'differs' || row.file === 'missing');
  const host = odd?.examples[0];
  return [
    ['every host with its build', `modfleet kmods hosts ${answer.name}${only} --output csv`],
    ...(host === undefined
      ? []
      : [
          [`what changed on ${host.name}`, `modfleet hosts events ${hostWord(host)} --kmod ${answer.name}`] as [
            string,
            string,
          ],
        ]),
    ['what came and went, and by whom', `modfleet events list --kmod ${answer.name}${only}`],
  ];
}
