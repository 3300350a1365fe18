import type { DriverHostList } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages, noteMore } from '../api/pages.ts';
import type { ListOptions, SelectorOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { exitStatus } from '../kmods/exit-status.ts';
import { selectorUnknownLine } from '../kmods/headline.ts';
import { STANDING_FIELDS } from '../kmods/standing-fields.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { renderTabs } from '../output/table.ts';
import { driverColumns, driverSentence, renderDriverHosts } from './driver-hosts.page.ts';

export interface DriverHostsOptions extends ListOptions, SelectorOptions {
  readonly exitStatus?: boolean;
}

const FIELDS = ['name', 'kmods', ...STANDING_FIELDS] as const;

/** `modfleet drivers hosts NAME`. */
export async function driverHosts(context: Context, name: string, options: DriverHostsOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const page = fields === undefined && io.out.isTty;
  const api = context.api();
  const { selector, includeUnknown } = options;
  const query = { selector, includeUnknown, presence: page ? 'bound,builtin,unknown' : 'bound,builtin' };
  const answer = await fetchPages<DriverHostList>(
    (cursor) => api.get(path`/drivers/${name}/hosts`, { ...query, ...cursor }, { selector, kmod: name }),
    options,
  );
  noteFreeze(answer.freeze, io);
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else if (page) io.out.write(renderDriverHosts(answer, selector, io));
  else {
    io.err.write(`${driverSentence(answer, selector, io)}\n`);
    if (answer.selectorUnknown > 0) io.err.write(`${selectorUnknownLine(answer.selectorUnknown)}\n`);
    io.out.write(renderTabs(driverColumns(), answer.items));
    noteMore(answer, io);
  }
  const { bound, builtin, unknown } = answer.counts;
  return options.exitStatus
    ? exitStatus({ loaded: bound, builtin, unknown: unknown + answer.selectorUnknown })
    : EXIT.ok;
}
