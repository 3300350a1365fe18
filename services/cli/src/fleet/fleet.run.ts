import type { FreezeAnswer, FreezeBody } from '@modfleet/server/api-types';
import type { Context } from '../context.ts';
import { usageError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { clock } from '../output/time.ts';

export interface ThawOptions {
  readonly json?: JsonOption;
}

export interface FreezeOptions extends ThawOptions {
  readonly reason: string;
}

const FIELDS = ['freeze'] as const;

/** `modfleet freeze`. */
export async function freeze(context: Context, options: FreezeOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  if (options.reason.trim() === '') throw usageError('--reason is empty: say why the fleet is frozen');
  const body: FreezeBody = { reason: options.reason };
  const answer = await context.api().change<FreezeAnswer>({ method: 'POST', path: '/freeze', body });
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else {
    const since =
      answer.freeze === null
        ? ''
        : ` since ${clock(answer.freeze.at, io.now(), io.timeZone)}, by ${clean(answer.freeze.by)}: ${clean(answer.freeze.reason)}`;
    io.err.write(`The fleet is frozen${since}. Actions that a host has started go on; nothing else is sent.\n`);
    io.err.write('  what is under way: modfleet actions list --state started\n  lift it: modfleet thaw\n');
  }
  return EXIT.ok;
}

/** `modfleet thaw`. */
export async function thaw(context: Context, options: ThawOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, FIELDS);
  const answer = await context.api().change<FreezeAnswer>({ method: 'POST', path: '/thaw', body: {} });
  if (fields) io.out.write(renderJson(pick(answer, fields), io.out.isTty));
  else if (answer.freeze === null)
    io.err.write(
      'No freeze holds now. Actions that waited and have not expired are sent.\n  see them: modfleet actions list --state queued\n',
    );
  else {
    const { by, reason } = answer.freeze;
    io.err.write(`The freeze was lifted and ${clean(by)} has frozen the fleet again: ${clean(reason)}\n`);
  }
  return EXIT.ok;
}
