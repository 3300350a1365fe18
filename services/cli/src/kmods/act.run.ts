import type { Action, CreateActionBody } from '@modfleet/server/api-types';
import { actionFields, freezeOf, printAction } from '../actions/action-output.ts';
import { exitOfAction } from '../actions/outcome.ts';
import { watchAction } from '../actions/watch.ts';
import { usageError } from '../errors/cli-error.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { JsonOption } from '../output/json-fields.ts';
import { noteFreeze } from '../output/page.ts';
import { exactClock } from '../output/time.ts';

export type ActVerb = 'load' | 'unload' | 'reload';

export interface ActOptions {
  readonly host?: readonly string[];
  readonly selector?: string;
  readonly all?: boolean;
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

/** `modfleet kmods load|unload|reload NAME`: on one host at once; for more it is planned, and begun as a rollout. */
export async function act(context: Context, verb: ActVerb, kmod: string, options: ActOptions): Promise<ExitCode> {
  const { selector, all } = options;
  const hosts = [...new Set(options.host)];
  const [host] = hosts;
  if (host === undefined && selector === undefined && !all)
    throw usageError(
      'say which hosts are meant',
      `one, at once: modfleet kmods ${verb} ${kmod} --host HOST`,
      `many, planned first: modfleet kmods ${verb} ${kmod} -l SELECTOR, or --all`,
    );
  if (host !== undefined && hosts.length === 1 && selector === undefined && !all)
    return actOnHost(context, verb, kmod, host, options);
  return planForMany(context, verb, kmod, options);
}

/** What a plan has no place for is refused, not passed over. */
async function planForMany(context: Context, verb: ActVerb, kmod: string, options: ActOptions): Promise<ExitCode> {
  if (options.watch)
    throw usageError(
      '--watch is for one host: for more it is only planned here',
      'follow the rollout: modfleet rollouts create PLAN --watch',
    );
  if (options.expiresIn !== undefined)
    throw usageError(
      '--expires-in is for one host',
      'how long a rollout takes at most: modfleet rollouts create PLAN --deadline 2h',
    );
  if (options.reason?.trim() === '') throw usageError('--reason is empty');
  const { rolloutPlan } = await import('../rollouts/plan/plan.run.ts');
  return rolloutPlan(context, verb, kmod, options);
}

/** A dry run is always waited for: its verdict is what was asked for. */
async function actOnHost(
  context: Context,
  verb: ActVerb,
  kmod: string,
  host: string,
  options: ActOptions,
): Promise<ExitCode> {
  const { io } = context;
  const fields = actionFields(options.json);
  const { reason, confirmWindow, override } = options;
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
