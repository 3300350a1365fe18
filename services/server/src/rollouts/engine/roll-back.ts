import type { Draft } from './draft.ts';
import { isBack, type Target } from './rollout.model.ts';
import type { StepInput } from './step-input.ts';

/** Puts back what was changed, the last first, as many at a time as the rollout itself; ends when nobody is left to wait for. */
export function rollBackStep(draft: Draft, input: StepInput): void {
  for (const target of draft.all())
    if (target.state === 'ended' && target.changed === true && target.undo.state === '')
      draft.put({ ...target, undo: { ...target.undo, state: 'pending' } });
  const isOver = input.now >= (draft.rollout.memory.undoUntil ?? 0);
  if (isOver) giveUp(draft);
  else if (!input.halted) sendBack(draft, input);
  if (draft.underWay() === 0 && !draft.all().some(({ undo }) => undo.state === 'pending')) settle(draft);
}

function sendBack(draft: Draft, { connected, now }: StepInput): void {
  let room = (draft.rollout.options.concurrency ?? Infinity) - draft.underWay();
  for (const target of draft.inOrder().reverse()) {
    if (room <= 0) return;
    if (target.undo.state !== 'pending' || !connected.has(target.hostId) || (target.notBefore ?? 0) > now) continue;
    draft.sendBack(target);
    room -= 1;
  }
}

function giveUp(draft: Draft): void {
  for (const target of draft.all())
    if (target.undo.state === 'pending')
      draft.put({ ...target, undo: { ...target.undo, state: 'ended', outcome: 'expired', message: NOT_REACHED } });
  draft.withdrawQueued();
}

const NOT_REACHED = 'it could not be put back in time; it is still changed';

/** `rolled_back` says that every host that told of a change is back, and that there is none of which nobody knows. */
function settle(draft: Draft): void {
  const targets = draft.all();
  const changed = targets.filter(({ undo }) => undo.state !== '');
  const left = changed.filter((target: Target) => !isBack(target)).length;
  const unknown = targets.filter((target) => draft.isUnknown(target)).length;
  if (left === 0 && unknown === 0) return draft.end('rolled_back', `${changed.length} hosts were put back`);
  const words = [
    `${changed.length - left} of ${changed.length} hosts that changed were put back`,
    ...(unknown === 0 ? [] : [`of ${unknown} nobody can say whether they changed`]),
  ];
  draft.end('failed', `roll back: ${words.join('; ')}`);
}
