import { requireOnHost } from '../../access/allowed.ts';
import type { Caller } from '../../access/caller.ts';
import { scopeOf } from '../../access/decision.ts';
import { inScope } from '../../access/host-scope.ts';
import type { LeftOutWord } from '../../actions/action-batch.service.ts';
import { AppError } from '../../errors/app-error.ts';
import type { Judged, NewTarget, PlanHost } from './plan.model.ts';
import { hardwareOf, judgeUnasked, quarantined } from './plan.rules.ts';

/** Hosts of a plan. Ten times what a fleet of the size that is measured has in one rollout; the plan's transaction holds each of them. */
export const PLAN_HOSTS_MAX = 50_000;

/** @throws AppError plan_too_large, plan_empty. @param unknown hosts of which a fact in the selector is unknown. */
export function requireSize(hosts: number, unknown: number): void {
  if (hosts > PLAN_HOSTS_MAX)
    throw new AppError(
      'plan_too_large',
      `${hosts} hosts match, and a plan takes ${PLAN_HOSTS_MAX}; narrow the selector and make several`,
    );
  if (hosts > 0) return;
  const left =
    unknown === 0 ? '' : `; of ${unknown} a fact in the selector is unknown, and those are not taken for matches`;
  throw new AppError('plan_empty', `no host matches${left}`);
}

/** A target, and whether its host is asked. Pure. */
export interface DraftTarget {
  readonly host: PlanHost;
  /** Undefined: it is to be asked. */
  readonly judged: Judged | undefined;
}

/**
 * The targets among hosts that the caller may read: all that are not retired.
 *
 * @param named hosts were named: then one that may not be acted on is an error, and not a target that is refused.
 * @throws AppError forbidden, access_seal_broken.
 */
export function draftTargets(hosts: readonly PlanHost[], caller: Caller, named: boolean): DraftTarget[] {
  const present = hosts.filter(({ retired }) => !retired);
  if (named) for (const host of present) requireOnHost(caller, 'act', host);
  const scope = scopeOf(caller, 'act');
  return present.map((host) => ({ host, judged: judgeUnasked(host, inScope(scope, host.labels)) }));
}

/** The targets as they are stored, once the hosts were asked. @param left hosts that turned out not to be such as are asked. */
export function newTargets(
  drafts: readonly DraftTarget[],
  ids: ReadonlyMap<string, string>,
  left: ReadonlyMap<string, LeftOutWord>,
): NewTarget[] {
  return drafts.flatMap(({ host, judged }) => {
    const why = left.get(host.id);
    if (why === 'host_retired' || why === 'host_not_found') return [];
    return {
      hostId: host.id,
      actionId: ids.get(host.id) ?? null,
      judged: judged ?? (why === undefined ? null : leftOut(host, why)),
      kernelRelease: host.kernelRelease,
      hardware: hardwareOf(host.virtualization),
    };
  });
}

/** It was revoked or quarantined between the look at it and the asking. */
function leftOut(host: PlanHost, why: 'host_revoked' | 'host_quarantined'): Judged {
  return (why === 'host_revoked' ? judgeUnasked({ ...host, revoked: true }, true) : undefined) ?? quarantined('');
}
