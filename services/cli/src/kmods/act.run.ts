import type { Action, CreateActionBody, Verb } from '@modfleet/server/api-types';
import { actionFields, freezeOf, printAction } from '../actions/action-output.ts';
import { exitOfAction } from '../actions/outcome.ts';
import { watchAction } from '../actions/watch.ts';
import { usageError } from '../errors/cli-error.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { exactClock } from '../output/time.ts';

export interface ActOptions {
  readonly host: string;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
  readonly reason?: string;
  /** Milliseconds. */
  readonly expiresIn?: number;
  /** Milliseconds; true: as the server has it. */
  readonly confirmWindow?: number | true;
  readonly override?: 'route';
  readonly param?: Readonly<Record<string, string>>;
  readonly json?: JsonOption;
}

/** `modfleet kmods load|unload|reload NAME --host H`. A dry run is always waited for: its verdict is what was asked for. */
export async function act(context: Context, verb: Verb, kmod: string, options: ActOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = actionFields(options.json);
  const { host, reason, confirmWindow, override } = options;
  if (override !== undefined && confirmWindow === undefined)
    throw usageError('--override needs --confirm-window: without one the host could not come back by itself');
  if (reason?.trim() === '') throw usageError('--reason is empty');
  const api = context.api();
  const body: CreateActionBody = {
    host,
    verb,
    kmod,
    dryRun: options.dryRun ?? false,
    ...(options.param === undefined ? {} : { parameters: options.param }),
    ...(options.expiresIn === undefined ? {} : { expiresIn: Math.round(options.expiresIn / 1000) }),
    ...(reason === undefined ? {} : { reason }),
    ...(confirmWindow === undefined
      ? {}
      : { confirmWindow: confirmWindow === true ? true : Math.round(confirmWindow / 1000) }),
    ...(override === undefined ? {} : { overrides: [override] }),
  };
  const accepted = await api.change<Action>({ method: 'POST', path: '/actions', body, asked: { host, kmod } });
  noteFreeze(freezeOf(accepted), io);
  const until = exactClock(accepted.expiresAt, io.now(), io.timeZone);
  io.err.write(
    `Action ${accepted.id} is accepted: ${options.dryRun ? 'dry run of ' : ''}${verb} ${kmod} on ${accepted.host.name}; it begins by ${until} or not at all.\n`,
  );
  if (!options.watch && !options.dryRun) {
    printAction(accepted, fields, io);
    return EXIT.ok;
  }
  const ended = await watchAction(api, io, accepted.id);
  printAction(ended, fields, io);
  return exitOfAction(ended);
}
