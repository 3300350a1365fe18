import type { LabelHostsBody, LabelResult } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { renderTabs } from '../output/table.ts';
import { count } from '../output/words.ts';
import { labelWords } from './label-words.ts';

export interface LabelOptions {
  readonly selector?: string;
  readonly all?: boolean;
  readonly json?: JsonOption;
}

const FIELDS = ['matched', 'changed', 'hosts', 'unknown', 'freeze'] as const;

/** `modfleet hosts label`. */
export async function hostsLabel(context: Context, words: readonly string[], options: LabelOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const { hosts, labels } = labelWords(words);
  const { selector, all } = options;
  const ways = [hosts.length > 0, selector !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1) {
    throw usageError(
      ways === 0 ? 'no host is named' : 'hosts are named in two ways',
      'name them: modfleet hosts label HOST... env=prod',
      'or choose them: modfleet hosts label -l SELECTOR env=prod',
      'or take all: modfleet hosts label --all env=prod',
    );
  }
  const target = hosts.length > 0 ? { hosts } : selector !== undefined ? { selector } : { all: true as const };
  const body: LabelHostsBody = { ...target, labels };
  const result = await context.api().change<LabelResult>({
    method: 'PATCH',
    path: '/hosts',
    body,
    asked: { selector, host: hosts.length === 1 ? hosts[0] : undefined },
  });
  noteFreeze(result.freeze, io);
  if (fields) io.out.write(renderJson(pick(result, fields), io.out.isTty));
  else {
    const columns = [
      { head: 'HOST', cell: (row: LabelResult['hosts'][number]) => row.name },
      { head: 'ID', cell: (row: LabelResult['hosts'][number]) => row.id },
    ];
    if (!io.out.isTty) io.out.write(renderTabs(columns, result.hosts));
    io.err.write(`${count(result.changed, 'host')} changed; ${count(result.matched, 'host')} matched.\n`);
    if (result.unknown > 0)
      io.err.write(
        `${count(result.unknown, 'host')} left alone: a fact that the selector asks for is not known now.\n`,
      );
  }
  return EXIT.ok;
}
