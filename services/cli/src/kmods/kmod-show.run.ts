import type { Kmod } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze, renderFields, renderNext } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { renderTable, type Column } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { count, list } from '../output/words.ts';
import { wrap } from '../output/width.ts';
import { coverageLine, headline, selectorUnknownLine } from './headline.ts';
import { shortBuild } from './kmod-host-columns.ts';

export interface KmodShowOptions extends SelectorOptions {
  readonly json?: JsonOption;
}

const FIELDS = [
  'name',
  'requested',
  'resolvedBy',
  'candidates',
  'description',
  'license',
  'counts',
  'lastSeen',
  'selectorUnknown',
  'coverage',
  'asOf',
  'builds',
  'drivers',
  'aliases',
  'depends',
  'blocked',
  'freeze',
] as const;

/** `modfleet kmods show NAME`. */
export async function kmodShow(context: Context, name: string, options: KmodShowOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const { selector, includeUnknown } = options;
  const kmod = await context
    .api()
    .get<Kmod>(path`/kmods/${name}`, { selector, includeUnknown }, { selector, kmod: name });
  noteFreeze(kmod.freeze, io);
  io.out.write(fields ? renderJson(pick(kmod, fields), io.out.isTty) : renderKmod(kmod, selector, io));
  return EXIT.ok;
}

const buildColumns: Column<Kmod['builds'][number]>[] = [
  { head: 'BUILD', cell: (row) => (row.buildId === null ? 'unreadable' : shortBuild(row.buildId)) },
  { head: 'VERSION', cell: (row) => row.version ?? '', hideEmpty: true },
  { head: 'KERNEL', cell: (row) => row.kernelRelease },
  { head: 'HOSTS', cell: (row) => String(row.hosts) },
];

function renderKmod(kmod: Kmod, selector: string | undefined, io: Io): string {
  const colors = colorsFor(io, io.out);
  const now = io.now();
  const { blocked } = kmod;
  const said = headline({ ...kmod, unknownRows: [], selector }, now, io.timeZone);
  const parts = [
    `${colors.bold(clean(kmod.name))}${kmod.description === null ? '' : `  ${clean(kmod.description)}`}\n`,
    ...wrap(clean(said), io.out.columns).map((line) => `${line}\n`),
    kmod.selectorUnknown > 0 ? `${selectorUnknownLine(kmod.selectorUnknown)}\n` : '',
    colors.dim(`${coverageLine(kmod.coverage, exactClock(kmod.asOf, now, io.timeZone))}\n`),
    '\n',
    renderFields([
      ['asked as', kmod.resolvedBy === 'name' ? null : `${kmod.requested} (${kmod.resolvedBy})`],
      ['also meant', kmod.candidates ? list(kmod.candidates) : null],
      ['license', kmod.license],
      ['drivers', list(kmod.drivers)],
      ['depends on', list(kmod.depends)],
      ['aliases', String(kmod.aliases)],
      [
        'blocked',
        `no on ${blocked.no}, partly on ${blocked.partly}, by the kernel on ${blocked.kernel}, unknown on ${blocked.unknown}`,
      ],
    ]),
  ];
  if (kmod.builds.length > 0)
    parts.push(
      `\n${count(kmod.builds.length, 'build')} loaded:\n`,
      renderTable(buildColumns, kmod.builds, io.out.columns, colors, '  '),
    );
  return parts.join('') + renderNext([['which hosts', `modfleet kmods hosts ${kmod.name}`]]);
}
