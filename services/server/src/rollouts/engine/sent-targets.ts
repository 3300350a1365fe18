import type { RolloutModel, Target } from './rollout.model.ts';
import type { Report } from './step-input.ts';

type Role = Report['role'];

/** Who asked cannot be proven any more. */
export const UNPROVEN = 'unproven';
/** What the host said after its action is nothing that could be done. */
export const NO_WAY_BACK = 'no_way_back';

const LEFT_WORDS: Readonly<Record<string, string>> = {
  host_not_found: 'the host is not there any more',
  host_retired: 'the host was retired',
  host_revoked: 'the host was revoked',
  host_quarantined: 'the host is quarantined',
  [UNPROVEN]: 'who asked for it was changed outside the server',
  [NO_WAY_BACK]: 'the host did not say what would put it back',
};

/** Why a target has no action, told to the machine as a refusal. */
export function leftOut(hostId: string, role: Role, code: string): Report {
  const message = LEFT_WORDS[code] ?? code;
  return {
    hostId,
    actionId: null,
    role,
    outcome: 'refused',
    resolves: false,
    withdrawn: false,
    rightLost: false,
    code,
    message,
    changed: false,
  };
}

export function withAction(target: Target, role: Role, actionId: string): Target {
  return role === 'undo' ? { ...target, undo: { ...target.undo, actionId } } : { ...target, actionId };
}

/** As before the step decided to send it. */
export function notSent(model: RolloutModel, target: Target, role: Role): Target {
  const before = model.targets.get(target.hostId);
  if (role === 'undo')
    return { ...target, undo: { ...target.undo, state: 'pending', attempts: target.undo.attempts - 1 } };
  return { ...target, state: 'pending', attempts: target.attempts - 1, startedAt: before?.startedAt ?? null };
}
