import type { Kmod, QueryAnswer, QueryBody, QueryEnd, QueryStart } from '@modfleet/server/api-types';
import { path, type Api } from '../api/api.ts';
import { kmodName } from '../command-line/values.ts';
import type { Context } from '../context.ts';
import { ApiError } from '../errors/api-errors.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, pick, renderJson } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { renderTabs } from '../output/table.ts';
import type { KmodHostsOptions } from './kmod-hosts.run.ts';
import { exitStatus } from './exit-status.ts';
import { liveColumns, liveCounts, liveRows, liveSentence, renderLive, type LiveAnswer } from './kmod-live.page.ts';

const FIELDS = [
  'name',
  'requested',
  'counts',
  'answers',
  'noAnswer',
  'targets',
  'answered',
  'asOf',
  'elapsedMs',
  'freeze',
] as const;
const TIMEOUT_MS = 2000;

/** `modfleet kmods hosts NAME --live`: asks every matching host now. */
export async function kmodLive(context: Context, requested: string, options: KmodHostsOptions): Promise<ExitCode> {
  const { io } = context;
  const lively = io.err.isTty && io.env['TERM'] !== 'dumb';
  const fields = jsonFields(options.json, FIELDS);
  const api = context.api();
  const name = await resolveName(api, requested);
  const timeoutMs = options.timeout ?? TIMEOUT_MS;
  const target = options.selector === undefined ? { all: true as const } : { selector: options.selector };
  const live = await ask(api, { kmods: [name], timeoutMs, ...target }, (answered, targets) => {
    if (lively) io.err.write(`\r${answered} of ${targets} hosts answered `);
  });
  if (lively) io.err.write('\r\u001b[K');
  const answer: LiveAnswer = { ...live, name, requested, selector: options.selector, timeoutMs };
  noteFreeze(answer.start.freeze, io);
  const counts = liveCounts(answer);
  if (fields)
    io.out.write(renderJson(pick({ ...answer, ...answer.start, ...answer.end, counts }, fields), io.out.isTty));
  else if (io.out.isTty) io.out.write(renderLive(answer, options.presence, io));
  else {
    io.err.write(`${liveSentence(answer)}\n`);
    io.out.write(renderTabs(liveColumns, liveRows(answer, options.presence)));
  }
  return options.exitStatus ? exitStatus(counts) : EXIT.ok;
}

/** The kmod that a name, alias or driver stands for. A name that nothing in the fleet has reported is asked for as it is. */
async function resolveName(api: Api, requested: string): Promise<string> {
  try {
    return (await api.get<Kmod>(path`/kmods/${requested}`, {}, { kmod: requested })).name;
  } catch (error) {
    if (!(error instanceof ApiError) || error.problem.code !== 'kmod_unknown') throw error;
    return kmodName(requested);
  }
}

async function ask(api: Api, body: QueryBody, progress: (answered: number, targets: number) => void) {
  let start: QueryStart | undefined;
  let end: QueryEnd | undefined;
  const answers: QueryAnswer[] = [];
  for await (const { event, data } of api.stream({
    method: 'POST',
    path: '/queries',
    body,
    asked: { selector: body.selector },
  })) {
    if (event === 'start') start = data as QueryStart;
    else if (event === 'answer') answers.push(data as QueryAnswer);
    else if (event === 'end') end = data as QueryEnd;
    if (start) progress(answers.length, start.targets);
  }
  if (start === undefined || end === undefined) {
    throw new CliError(`the server stopped in the middle of the answer; ${answers.length} hosts had answered`, {
      exitCode: EXIT.unreachable,
      hints: ['try again'],
    });
  }
  return { start, end, answers };
}
