import type { HostDiff } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, type JsonOption, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { colorsFor } from '../output/style.ts';
import { type Column, renderTable, renderTabs } from '../output/table.ts';
import { count, list } from '../output/words.ts';
import { type DiffRow, diffRows } from './host-diff-rows.ts';

export interface HostDiffOptions {
  readonly json?: JsonOption;
  readonly exitStatus?: boolean;
}

const FIELDS = [
  'a',
  'b',
  'asOf',
  'same',
  'facets',
  'kernel',
  'kmods',
  'parameters',
  'config',
  'devices',
  'freeze',
] as const;

const SECTIONS = ['kernel', 'kmods', 'parameters', 'config', 'devices'] as const;
const SECTION_HEADS: Readonly<Record<(typeof SECTIONS)[number], string>> = {
  kernel: 'Kernel and system:',
  kmods: 'Loaded kmods:',
  parameters: 'Parameters of kmods that both have loaded:',
  config: 'Configuration:',
  devices: 'Devices and drivers:',
};

/** `modfleet hosts diff A B`. */
export async function hostDiff(
  context: Context,
  first: string,
  second: string,
  options: HostDiffOptions,
): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const diff = await context.api().get<HostDiff>(path`/hosts/${first}/diff`, { with: second });
  noteFreeze(diff.freeze, io);
  if (fields) io.out.write(renderJson(pick(diff, fields), io.out.isTty));
  else if (io.out.isTty) io.out.write(renderDiff(diff, io));
  else {
    io.out.write(renderTabs(hostDiffColumns(diff.a.name, diff.b.name), diffRows(diff)));
    for (const line of notes(diff)) io.err.write(`${line}\n`);
  }
  if (!options.exitStatus) return EXIT.ok;
  if (diffRows(diff).length > 0) return EXIT.negative;
  return diff.same ? EXIT.ok : EXIT.incomplete;
}

/** The order of raw cells is part of the command's contract (docs/cli.md). */
export function hostDiffColumns(a: string, b: string): Column<DiffRow>[] {
  return [
    { head: 'PART', cell: (row) => row.section, pipeOnly: true },
    { head: 'WHAT', cell: (row) => row.what, color: (colors) => colors.bold },
    { head: a.toUpperCase(), cell: (row) => row.a ?? '-', raw: (row) => row.a ?? '', shrink: 1 },
    { head: b.toUpperCase(), cell: (row) => row.b ?? '-', raw: (row) => row.b ?? '', shrink: 1 },
  ];
}

function renderDiff(diff: HostDiff, io: Io): string {
  const colors = colorsFor(io, io.out);
  const all = diffRows(diff);
  const rows = all.filter((row) => !row.otherBuild);
  const builds = all.length - rows.length;
  const parts = [`${colors.bold(`${clean(diff.a.name)} and ${clean(diff.b.name)}`)}\n`];
  for (const section of SECTIONS) {
    const own = rows.filter((row) => row.section === section);
    if (own.length > 0)
      parts.push(
        `\n${SECTION_HEADS[section]}\n`,
        renderTable(hostDiffColumns(diff.a.name, diff.b.name), own, io.out.columns, colors, '  '),
      );
    if (section === 'kmods' && builds > 0)
      parts.push(
        `\n  ${count(builds, 'kmod')} loaded on both in another build, as another kernel has it (all: --json kmods)\n`,
      );
  }
  const lines = notes(diff);
  if (lines.length > 0) parts.push('\n', ...lines.map((line) => `${clean(line)}\n`));
  return parts.join('');
}

/** What the answer does not rest on. */
function notes(diff: HostDiff): string[] {
  const hosts = [
    ['a', diff.a.name],
    ['b', diff.b.name],
  ] as const;
  const unsaid = SECTIONS.filter((section) => diff[section] === null).map((section) =>
    section === 'kmods' ? 'loaded kmods' : section,
  );
  const old = hosts.flatMap(([side, name]) => {
    const facets = diff.facets.filter((facet) => facet[side].coverage !== 'fresh');
    if (facets.length === 0) return [];
    const [why = ''] = facets.map((facet) => facet[side].reason ?? facet[side].coverage);
    return [`What ${name} says of ${list(facets.map(({ facet }) => facet))} may no longer hold: ${why}.`];
  });
  const nothing = diffRows(diff).length === 0 ? ['Nothing that both reported differs.'] : [];
  return [
    ...(diff.same ? ['They are the same in everything that is compared.'] : nothing),
    ...(unsaid.length === 0 ? [] : [`Not compared, because one of the two never reported it: ${list(unsaid)}.`]),
    ...old,
  ];
}
