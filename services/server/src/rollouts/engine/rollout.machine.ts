import { budgetLines } from './budget.ts';
import { takeControls } from './controls.ts';
import { Draft, type Effect } from './draft.ts';
import { isEndedState, type Rollout, type RolloutModel, type Target, type Wave } from './rollout.model.ts';
import { rollBackStep } from './roll-back.ts';
import { takeReports } from './reports.ts';
import { lookedAfter, takeLooks, waveStep } from './wave-step.ts';
import type { StepInput } from './step-input.ts';

/*
 * INVARIANTS (rollout.machine.property.spec.ts holds the machine to them with random events, clocks and crashes)
 * - After a result that exceeds a budget nothing is dispatched, in this wave or a later one, until a person says so.
 * - At most `concurrency` hosts are under way.
 * - Every target ends, with one outcome, and an outcome never changes; `unconfirmed` and `stuck` may be resolved, once.
 * - What was not seen is no success: a host that was not reached, or of which nobody knows, is never counted as as-asked.
 * - A roll back touches hosts that said that they were changed, and no others.
 * - The same model and input give the same decision: a watcher that was built anew from rows goes on where the one before was.
 */

/** What one step decides. Only what changed; `effects` in the order in which they happen. */
export interface Decision {
  readonly rollout: Rollout;
  readonly waves: readonly Wave[];
  /** Those that are other than before. */
  readonly targets: readonly Target[];
  readonly effects: readonly Effect[];
}

const TAMPERED = 'its rows were changed outside the server, so nothing is sent: abort it and create another';

/** One step of a rollout: what happened since the last one, and what follows from it. Pure. */
export function decide(model: RolloutModel, input: StepInput): Decision {
  const draft = new Draft(model, input.now);
  takeReports(draft, input);
  takeLooks(draft, input);
  takeControls(draft, input.controls);
  if (input.tampered && ['running', 'rolling_back'].includes(draft.rollout.state)) draft.pause(TAMPERED);
  switch (draft.rollout.state) {
    case 'running':
      running(draft, input);
      break;
    case 'paused':
    case 'awaiting_approval':
      standingStill(draft, input);
      break;
    case 'aborting':
      if (draft.underWay() === 0) draft.end('aborted', draft.rollout.why);
      break;
    case 'rolling_back':
      rollBackStep(draft, input);
      break;
    default:
      break;
  }
  return draft.decision();
}

/** The model after a decision; the same object for what did not change. */
export function applied(model: RolloutModel, decision: Decision): RolloutModel {
  const targets = new Map(model.targets);
  for (const target of decision.targets) targets.set(target.hostId, target);
  return { rollout: decision.rollout, waves: decision.waves, targets };
}

function running(draft: Draft, input: StepInput): void {
  if (input.now >= draft.rollout.deadline) return overtime(draft);
  waveStep(draft, input);
  const exceeded = budgetLines(draft).filter((line) => line.exceeded);
  if (exceeded.length > 0) {
    const words = exceeded.map(
      ({ scope, kind, count, limit }) =>
        `${count} ${kind} in ${scope === 'whole' ? 'all' : `wave ${draft.rollout.wave}`}, budget ${limit}`,
    );
    return overBudget(draft, words.join('; '));
  }
  dispatch(draft, input);
  finish(draft);
}

/** Time passes all the same. */
function standingStill(draft: Draft, input: StepInput): void {
  const { deadline, memory } = draft.rollout;
  if (memory.resumeTo === 'rolling_back') {
    if (input.now >= (memory.undoUntil ?? 0)) rollBackStep(draft, input);
  } else if (input.now >= deadline) overtime(draft);
}

function overBudget(draft: Draft, why: string): void {
  const { onBudget } = draft.rollout.options;
  draft.note(`over its budget: ${why}`);
  if (onBudget === 'abort') return draft.abort(`over its budget: ${why}`);
  if (onBudget === 'roll_back') return draft.rollBack(`over its budget: ${why}`, undefined);
  draft.pause(`over its budget: ${why}`);
}

/** As many as concurrency leaves room for, in the order of the rollout: earlier waves' hosts that came back are first by it. */
function dispatch(draft: Draft, input: StepInput): void {
  if (input.halted) return;
  const limit = draft.rollout.options.concurrency ?? Infinity;
  let room = limit - draft.underWay();
  if (room <= 0) return;
  for (const target of draft.inOrder()) {
    if (room <= 0) break;
    if (target.wave > draft.rollout.wave || target.state !== 'pending' || target.wait !== '') continue;
    if (!input.connected.has(target.hostId)) continue;
    draft.send(target);
    room -= 1;
  }
}

/** After the last wave, when nobody is left to wait for. */
function finish(draft: Draft): void {
  if (draft.rollout.state !== 'running') return;
  if (draft.waves.some(({ endedAt }) => endedAt === null)) return;
  // Who waited past the end of its wave has not been looked at yet; the budget judges what is found before the next step.
  if (draft.all().every(({ state }) => state === 'ended') && lookedAfter(draft)) settle(draft);
}

/** The deadline is over: nothing begins any more; what is under way may end. */
function overtime(draft: Draft): void {
  for (const target of draft.all()) {
    if (target.state !== 'pending') continue;
    if (target.wait === 'in_use') draft.endTarget(target, 'refused', target.code, target.message);
    else if (target.wait === 'unreachable')
      draft.endTarget(target, 'unreachable', 'silent', 'it was not connected before the deadline');
    else draft.endTarget(target, 'not_run', 'deadline', 'the deadline was over before it was its turn');
  }
  draft.withdrawQueued();
  if (draft.underWay() === 0 && lookedAfter(draft)) settle(draft, 'the deadline is over: ');
}

/** `succeeded` says of every host that it is as was asked for. */
function settle(draft: Draft, because = ''): void {
  const { asAsked, unhealthy, total } = draft.standing();
  if (asAsked === total && unhealthy === 0) return draft.end('succeeded', '');
  const sick = unhealthy === 0 ? '' : `, ${unhealthy} not healthy afterwards`;
  draft.end('failed', `${because}${total - asAsked} of ${total} hosts are not as was asked for${sick}`);
}

/** Whether a watcher has nothing left to do. */
export function isOver({ rollout, targets }: RolloutModel): boolean {
  return isEndedState(rollout.state) && [...targets.values()].every((target) => target.state !== 'dispatched');
}
