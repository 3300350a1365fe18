import type { BatchAction } from '../../actions/action-batch.service.ts';
import type { UndoStepJson } from '../../actions/action.model.ts';
import type { RolloutCommand } from '../rollout-hash.ts';
import type { Target } from './rollout.model.ts';

/** A host has this long to begin, from when its action is accepted; then its turn comes again. */
const BEGIN_WITHIN_MS = 120_000;

/** Of which rollout, and until when anything of it may begin. */
export interface ActionFrame {
  readonly rolloutId: string;
  readonly planId: string;
  readonly reason: string | null;
  readonly now: number;
  /** ms; nothing begins after it. */
  readonly deadline: number;
}

/** The action that a target is sent. A host with a plan of its own carries out that one alone; a late one, any that was approved. Pure. */
export function forwardAction(target: Target, command: RolloutCommand, frame: ActionFrame): BatchAction {
  const own = target.planClass === null ? undefined : command.digests[target.planClass];
  const digests = own === undefined ? command.digests : [own];
  return {
    ...common(target, frame),
    verb: command.verb,
    kmod: command.kmod,
    parameters: command.parameters,
    confirmWindowSeconds: command.confirmWindowSeconds,
    overrides: command.overrides,
    approvedPlans: digests.map((digest) => Buffer.from(digest, 'hex')),
    undo: [],
  };
}

/**
 * The action that puts a target back, from what the host said after the one that changed it. Undefined: it said nothing that could be done, or names kmods that the
 * plan does not: what stands in a result is a host's word, and no command follows from it that nobody approved. Pure.
 */
export function undoAction(
  target: Target,
  steps: readonly UndoStepJson[] | undefined,
  command: RolloutCommand,
  frame: ActionFrame,
): BatchAction | undefined {
  if (steps === undefined || steps.length === 0) return undefined;
  if (steps.some(({ kmod }) => !command.kmods.includes(kmod))) return undefined;
  return {
    ...common(target, frame),
    verb: 'restore',
    kmod: command.kmod,
    parameters: [],
    confirmWindowSeconds: command.confirmWindowSeconds,
    overrides: command.overrides,
    approvedPlans: [],
    undo: steps,
  };
}

function common({ hostId }: Target, { rolloutId, planId, reason, now, deadline }: ActionFrame) {
  const expiresAt = new Date(Math.min(now + BEGIN_WITHIN_MS, deadline));
  return { hostId, dryRun: false, expiresAt, rolloutId, planId, reason };
}
