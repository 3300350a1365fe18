import type { Io } from '../../io.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../../output/json-fields.ts';
import { renderTabs } from '../../output/table.ts';
import { rolloutColumns, rolloutSummary } from './rollout-columns.ts';
import { renderRollout } from './rollout.page.ts';
import type { AnyRollout } from './tally.ts';

/** Fields of `--json` on commands about one rollout. */
export const ROLLOUT_FIELDS = [
  'id',
  'plan',
  'parent',
  'state',
  'message',
  'verb',
  'kmod',
  'parameters',
  'confirmWindow',
  'selector',
  'reason',
  'requestedBy',
  'createdAt',
  'startedAt',
  'endedAt',
  'deadlineAt',
  'options',
  'hash',
  'approval',
  'wave',
  'waves',
  'counts',
  'failures',
  'budget',
  'canReturn',
  'rollback',
  'version',
  'freeze',
] as const;

/** Of commands that ask something of a rollout: whether it was carried out comes with it. */
export const CONTROL_FIELDS = [...ROLLOUT_FIELDS, 'taken'] as const;

/** Checks `--json` before anything is sent. */
export function rolloutFields(option: JsonOption) {
  return jsonFields(option, ROLLOUT_FIELDS);
}

/** One rollout: JSON, a page for people, or one line of tabs, as in the list. */
export function printRollout(rollout: AnyRollout, fields: readonly string[] | undefined, io: Io): void {
  if (fields) io.out.write(renderJson(pick(rollout, fields), io.out.isTty));
  else if (io.out.isTty) io.out.write(renderRollout(rollout, io));
  else io.out.write(renderTabs(rolloutColumns(io.now(), io.timeZone), [rolloutSummary(rollout)]));
}
