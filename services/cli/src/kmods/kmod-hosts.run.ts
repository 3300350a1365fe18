import type { KmodHostList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages, noteMore } from '../api/pages.ts';
import type { ExportOptions, ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Moment } from '../command-line/moment.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { exportList, firstOfExport } from '../output/export.run.ts';
import type { ExportFormat } from '../output/export-formats.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { renderTabs } from '../output/table.ts';
import { headlineOf, renderKmodHosts } from './kmod-hosts.page.ts';
import { exitStatus } from './exit-status.ts';
import { selectorUnknownLine } from './headline.ts';
import { knownColumns } from './kmod-host-columns.ts';
import type { PresenceFilter } from './presences.ts';
import { STANDING_FIELDS } from './standing-fields.ts';

export interface KmodHostsOptions extends ListOptions, SelectorOptions, ExportOptions {
  readonly presence?: readonly PresenceFilter[];
  readonly live?: boolean;
  readonly at?: Moment;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly exitStatus?: boolean;
}

const FIELDS = ['name', 'requested', 'resolvedBy', 'candidates', ...STANDING_FIELDS] as const;

/** `modfleet kmods hosts NAME`. */
export async function kmodHosts(context: Context, name: string, options: KmodHostsOptions): Promise<ExitCode> {
  if (options.output !== undefined) return exportHosts(context, name, options, options.output);
  if (options.live) return (await import('./kmod-live.run.ts')).kmodLive(context, name, options);
  if (options.timeout !== undefined)
    throw usageError('--timeout is for --live: without it nothing is asked of the hosts');
  const { at } = options;
  if (at !== undefined) return (await import('./kmod-past.run.ts')).kmodPast(context, name, { ...options, at });
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const page = fields === undefined && io.out.isTty;
  const api = context.api();
  const presence = options.presence ?? (page ? ['loaded', 'builtin', 'unknown'] : ['loaded', 'builtin']);
  const { selector, includeUnknown } = options;
  const asked = { selector, kmod: name };
  const answer = await fetchPages<KmodHostList>(
    (query) =>
      api.get(path`/kmods/${name}/hosts`, { selector, includeUnknown, presence: presence.join(','), ...query }, asked),
    options,
  );
  noteFreeze(answer.freeze, io);
  const told = { selector, narrowed: options.presence === undefined };
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else if (page) io.out.write(renderKmodHosts(answer, told, io));
  else {
    io.err.write(`${headlineOf(answer, told, { ...io, out: io.err }).join('\n')}\n`);
    if (answer.counts.unknown > 0 && options.presence === undefined) {
      io.err.write(`  which, and why: modfleet kmods hosts ${answer.name} --presence unknown\n`);
    }
    if (answer.selectorUnknown > 0) io.err.write(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
    io.out.write(renderTabs(knownColumns(), answer.items));
    noteMore(answer, io);
  }
  const unknown = answer.counts.unknown + answer.selectorUnknown;
  return options.exitStatus ? exitStatus({ ...answer.counts, unknown }) : EXIT.ok;
}

/** Every host as it stands, the unknown ones too: a file that leaves them out would say that they do not run it. */
async function exportHosts(
  context: Context,
  name: string,
  options: KmodHostsOptions,
  format: ExportFormat,
): Promise<ExitCode> {
  if (options.live === true || options.exitStatus === true)
    throw usageError(`--output gives what is stored: leave out ${options.live ? '--live' : '--exit-status'}`);
  const { io } = context;
  const api = context.api();
  const { selector, includeUnknown } = options;
  const presence = (options.presence ?? ['loaded', 'builtin', 'unknown']).join(',');
  const request = { path: path`/kmods/${name}/hosts`, query: { selector, includeUnknown, presence } };
  const asked = { selector, kmod: name };
  const first = await firstOfExport<KmodHostList>(api, io, request.path, request.query, asked);
  io.err.write(`${headlineOf(first, { selector, narrowed: false }, { ...io, out: io.err }).join('\n')}\n`);
  if (first.selectorUnknown > 0) io.err.write(`${selectorUnknownLine(first.selectorUnknown)}\n`);
  return exportList(api, io, { ...request, asked, format });
}
