import type { Action, ActionList, ActionListQuery, CancelResult } from '@modfleet/server/api-types';
import { path } from '../api/api.ts';
import { fetchPages } from '../api/pages.ts';
import type { ListOptions } from '../command-line/options.ts';
import type { Context } from '../context.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { jsonFields, type JsonOption } from '../output/json-fields.ts';
import { printList } from '../output/list.ts';
import { noteFreeze } from '../output/page.ts';
import { actionColumns } from './action-columns.ts';
import { ACTION_FIELDS, actionFields, freezeOf, printAction } from './action-output.ts';
import { exitOfAction, isEnded } from './outcome.ts';
import { watchAction } from './watch.ts';

export interface ActionsListOptions extends ListOptions {
  readonly host?: string;
  readonly kmod?: string;
  readonly state?: Exclude<ActionListQuery['state'], undefined>;
  readonly outcome?: Exclude<ActionListQuery['outcome'], undefined>;
}

export interface ActionShowOptions {
  readonly json?: JsonOption;
}

/** `modfleet actions list`. */
export async function actionsList(context: Context, options: ActionsListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, ACTION_FIELDS);
  const api = context.api();
  const { host, kmod, state, outcome } = options;
  const answer = await fetchPages<ActionList>(
    (page) => api.get('/actions', { host, kmod, state, outcome, ...page }, { host, kmod }),
    options,
  );
  await printList(io, answer, { fields, columns: actionColumns(io.now(), io.timeZone), none: 'No action matches.' });
  return EXIT.ok;
}

/** `modfleet actions show ID`. */
export async function actionShow(context: Context, id: string, options: ActionShowOptions): Promise<ExitCode> {
  const fields = actionFields(options.json);
  const action = await context.api().get<Action>(path`/actions/${id}`);
  noteFreeze(action.freeze, context.io);
  printAction(action, fields, context.io);
  return EXIT.ok;
}

/** `modfleet actions watch ID`. */
export async function actionWatch(context: Context, id: string, options: ActionShowOptions): Promise<ExitCode> {
  const fields = actionFields(options.json);
  const action = await watchAction(context.api(), context.io, id);
  noteFreeze(freezeOf(action), context.io);
  printAction(action, fields, context.io);
  return exitOfAction(action);
}

/** `modfleet actions cancel ID`. */
export async function actionCancel(context: Context, id: string, options: ActionShowOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = actionFields(options.json);
  const { cancelled, action, freeze } = await context
    .api()
    .change<CancelResult>({ method: 'POST', path: path`/actions/${id}/cancel`, body: {} });
  noteFreeze(freeze, io);
  if (cancelled) io.err.write('Cancelled: it did not start.\n');
  else if (isEnded(action)) io.err.write('Not cancelled: it had ended already.\n');
  else io.err.write(`Not cancelled: it may have started. How it ends: modfleet actions watch ${id}\n`);
  printAction(action, fields, io);
  return cancelled ? EXIT.ok : EXIT.negative;
}
