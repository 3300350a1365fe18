import {
  effectiveOutcome,
  isAsAsked,
  isBack,
  type Rollout,
  type RolloutModel,
  type RolloutState,
  type Target,
  type TargetOutcome,
  type Wave,
} from './rollout.model.ts';
import { acceptedNow } from './budget.ts';

export type Effect =
  /** An action is made for the host and accepted: the verb of the rollout, or its undoing. */
  | { readonly kind: 'dispatch'; readonly hostId: string; readonly role: 'forward' | 'undo' }
  /** Actions that were not sent yet are taken back. */
  | { readonly kind: 'withdraw'; readonly actionIds: readonly string[] }
  /** The hosts are asked how they are. */
  | { readonly kind: 'look'; readonly hostIds: readonly string[] }
  /** Whether anything of the rollout may be sent at all. */
  | { readonly kind: 'gate'; readonly open: boolean }
  | { readonly kind: 'note'; readonly text: string }
  /** '' means done. */
  | { readonly kind: 'answer'; readonly seq: number; readonly answer: string };

/** A rollout while one step is decided: what the step has changed so far lies over the model, which stays as it is. */
export class Draft implements RolloutModel {
  readonly now: number;
  readonly waves: Wave[];
  readonly targets: Map<string, Target>;
  rollout: Rollout;
  readonly #changed = new Set<string>();
  readonly #effects: Effect[] = [];

  constructor(model: RolloutModel, now: number) {
    this.now = now;
    this.rollout = model.rollout;
    this.waves = [...model.waves];
    this.targets = new Map(model.targets);
  }

  all(): Target[] {
    return [...this.targets.values()];
  }

  inOrder(): Target[] {
    return this.all().sort((one, other) => one.position - other.position);
  }

  /** Hosts that have an action, there or back. */
  underWay(): number {
    let count = 0;
    for (const { state, undo } of this.targets.values())
      if (state === 'dispatched' || undo.state === 'dispatched') count += 1;
    return count;
  }

  /** What is not begun yet may still have its turn. */
  get goesForward(): boolean {
    const { state, memory, deadline } = this.rollout;
    return (state === 'running' || (state === 'paused' && memory.resumeTo !== 'rolling_back')) && this.now < deadline;
  }

  standing(): { readonly total: number; readonly asAsked: number; readonly unhealthy: number } {
    const targets = this.all();
    return {
      total: targets.length,
      asAsked: targets.filter(isAsAsked).length,
      unhealthy: targets.filter(({ health }) => health.length > 0).length,
    };
  }

  put(target: Target): void {
    this.targets.set(target.hostId, target);
    this.#changed.add(target.hostId);
  }

  /** INVARIANT: an outcome is given once. */
  endTarget(
    target: Target,
    outcome: TargetOutcome,
    code: string,
    message: string,
    changed: boolean | null = false,
  ): void {
    if (target.state === 'ended') throw new Error(`${target.hostId} has ended as ${target.outcome ?? ''} already`);
    this.put({
      ...target,
      state: 'ended',
      wait: '',
      outcome,
      code,
      message,
      changed,
      notBefore: null,
      endedAt: this.now,
    });
  }

  /** INVARIANT: an outcome is resolved once, and only where it left open how it went. */
  resolveTarget(target: Target, outcome: TargetOutcome, code: string, message: string, changed: boolean | null): void {
    if (target.resolvedOutcome !== null || !['unconfirmed', 'stuck'].includes(target.outcome ?? '')) return;
    this.put({ ...target, resolvedOutcome: outcome, code, message, changed });
  }

  send(target: Target): void {
    this.put({
      ...target,
      state: 'dispatched',
      wait: '',
      notBefore: null,
      attempts: target.attempts + 1,
      actionId: null,
      startedAt: target.startedAt ?? this.now,
    });
    this.#effects.push({ kind: 'dispatch', hostId: target.hostId, role: 'forward' });
  }

  sendBack(target: Target): void {
    const undo = { ...target.undo, state: 'dispatched', attempts: target.undo.attempts + 1, actionId: null } as const;
    this.put({ ...target, undo });
    this.#effects.push({ kind: 'dispatch', hostId: target.hostId, role: 'undo' });
  }

  putWave(wave: Wave): void {
    this.waves[wave.number] = wave;
  }

  effect(effect: Effect): void {
    this.#effects.push(effect);
  }

  note(text: string): void {
    this.#effects.push({ kind: 'note', text });
  }

  move(state: RolloutState, why: string): void {
    const opens = state === 'running' || state === 'rolling_back';
    this.rollout = { ...this.rollout, state, why };
    this.#effects.push({ kind: 'gate', open: opens });
  }

  pause(why: string): void {
    const resumeTo = this.rollout.state === 'rolling_back' ? 'rolling_back' : 'running';
    this.move('paused', why);
    this.rollout = { ...this.rollout, memory: { ...this.rollout.memory, resumeTo } };
    this.withdrawQueued();
  }

  /** What has failed so far is accepted: only more of it exceeds a budget again. */
  resume(): void {
    const { resumeTo = 'running', ...memory } = this.rollout.memory;
    const accepted = acceptedNow(this);
    this.move(resumeTo, '');
    this.rollout = { ...this.rollout, memory: { ...memory, accepted } };
  }

  abort(why: string): void {
    this.endPending(why);
    this.move('aborting', why);
    this.withdrawQueued();
  }

  /** @param control the person's request; undefined: the budget asks. */
  rollBack(why: string, control: number | undefined): void {
    this.endPending(why);
    this.withdrawQueued();
    this.#tryBackAgain();
    const undoUntil = this.now + this.rollout.options.deadline * 1000;
    this.move('rolling_back', why);
    this.rollout = {
      ...this.rollout,
      endedAt: null,
      memory: { ...this.rollout.memory, undoUntil, ...(control === undefined ? {} : { undoControl: control }) },
    };
  }

  /** An earlier roll back left these as they were changed; a routine that hangs is not asked again before a reboot. */
  #tryBackAgain(): void {
    for (const target of this.all()) {
      const { undo } = target;
      if (undo.state !== 'ended' || isBack(target) || undo.outcome === 'stuck') continue;
      this.put({ ...target, undo: { ...undo, state: 'pending', outcome: null, actionId: null } });
    }
  }

  /** What has been accepted and may not have been sent is asked back; what was sent before goes on. */
  withdrawQueued(): void {
    const actionIds = this.all().flatMap(({ state, actionId, undo }) =>
      state === 'dispatched' ? (actionId ?? []) : undo.state === 'dispatched' ? (undo.actionId ?? []) : [],
    );
    if (actionIds.length > 0) this.#effects.push({ kind: 'withdraw', actionIds });
  }

  end(state: RolloutState, why: string): void {
    this.move(state, why);
    this.rollout = { ...this.rollout, endedAt: this.now };
    this.note(`${state}${why === '' ? '' : `: ${why}`}`);
  }

  endPending(why: string): void {
    for (const target of this.all())
      if (target.state === 'pending') this.endTarget(target, 'not_run', 'not_run', `not begun: ${why}`);
  }

  /** What the step has changed, and what is to be done. */
  decision() {
    return {
      rollout: this.rollout,
      waves: this.waves,
      targets: [...this.#changed].flatMap((id) => this.targets.get(id) ?? []),
      effects: this.#effects,
    };
  }

  /** Nobody knows whether the host was changed. */
  isUnknown(target: Target): boolean {
    return target.state === 'ended' && effectiveOutcome(target) !== 'not_run' && target.changed === null;
  }
}
