import type { RolloutPlan } from '@modfleet/server/api-types';
import type { Io } from '../../io.ts';
import { jsonFields, pick, renderJson, type JsonOption } from '../../output/json-fields.ts';
import { renderPlan } from './plan.page.ts';

export const PLAN_FIELDS = [
  'id',
  'state',
  'verb',
  'kmod',
  'parameters',
  'confirmWindow',
  'overrides',
  'selector',
  'reason',
  'requestedBy',
  'createdAt',
  'answersUntil',
  'readyAt',
  'expiresAt',
  'hash',
  'counts',
  'unknownInSelector',
  'newMatches',
  'classes',
  'refusals',
  'unknowns',
  'rollouts',
  'freeze',
] as const;

export function planFields(option: JsonOption) {
  return jsonFields(option, PLAN_FIELDS);
}

/** A plan: JSON, or the page, which in a pipe is uncut. */
export function printPlan(plan: RolloutPlan, fields: ReturnType<typeof planFields>, io: Io): void {
  io.out.write(fields ? renderJson(pick(plan, fields), io.out.isTty) : renderPlan(plan, io));
}
