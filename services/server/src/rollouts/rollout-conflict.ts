import { takesAway } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import type { RolloutVerb } from './plan/plan.model.ts';
import { rolloutVerb } from './plan/plan.schema.ts';
import { rolloutVerbOf, verbNumber } from './rollout-verb.ts';
import { selectConflict } from './rollout-conflict.queries.ts';

/** Verbs that want the opposite. Pure. */
export function oppositesOf(verb: RolloutVerb): RolloutVerb[] {
  return rolloutVerb.options.filter((other) => takesAway(other) !== takesAway(verb));
}

/**
 * Asked when a plan is made, and again when a rollout is: that one holds lockRolloutsOfKmod (rollout-conflict.queries.ts) before.
 *
 * @throws AppError rollout_conflict: a rollout that has not ended wants the opposite of the kmod on one of the hosts.
 */
export async function requireNoConflict(
  sql: Sql,
  { verb, kmod }: { readonly verb: RolloutVerb; readonly kmod: string },
  hostIds: readonly string[],
): Promise<void> {
  const verbs = oppositesOf(verb).map(verbNumber);
  const conflict = await selectConflict(sql, kmod, verbs, hostIds);
  if (conflict === undefined) return;
  const { rolloutId, shared } = conflict;
  const hosts = shared === 1 ? 'one of these hosts' : `${shared} of these hosts`;
  throw new AppError(
    'rollout_conflict',
    `rollout ${rolloutId} has not ended and wants the opposite on ${hosts}: ${rolloutVerbOf(conflict.verb)} ${conflict.kmod}; wait for its end or abort it (POST /api/v1/rollouts/${rolloutId}/abort)`,
    { candidates: [rolloutId] },
  );
}
