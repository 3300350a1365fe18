import type { Freeze } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../output/json-fields.ts';
import { renderTabs } from '../output/table.ts';
import { actionColumns } from './action-columns.ts';
import { renderAction } from './action.page.ts';
import type { AnyAction } from './outcome.ts';

/** Fields of `--json` on commands about one action. */
export const ACTION_FIELDS = [
  'id',
  'host',
  'verb',
  'kmod',
  'parameters',
  'dryRun',
  'reason',
  'requestedBy',
  'createdAt',
  'expiresAt',
  'confirmWindow',
  'overrides',
  'confirm',
  'state',
  'outcome',
  'resolvedOutcome',
  'message',
  'verdict',
  'result',
  'canReturn',
  'timeline',
  'version',
] as const;

/** Checks `--json` before anything is sent. */
export function actionFields(option: JsonOption) {
  return jsonFields(option, [...ACTION_FIELDS, 'freeze']);
}

/** The freeze of an answer about an action; a list or an event carries it outside. */
export function freezeOf(action: AnyAction): Freeze {
  return 'freeze' in action ? action.freeze : null;
}

/** One action: JSON, a page for people, or one line of tabs. */
export function printAction(action: AnyAction, fields: ReturnType<typeof actionFields>, io: Io): void {
  if (fields) io.out.write(renderJson(pick(action, fields), io.out.isTty));
  else if (io.out.isTty) io.out.write(renderAction(action, io));
  else io.out.write(renderTabs(actionColumns(io.now(), io.timeZone), [action]));
}
