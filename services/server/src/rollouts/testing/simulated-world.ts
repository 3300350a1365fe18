import type { OutcomeWord } from '@modfleet/proto';
import { applied, decide, type Decision } from '../engine/rollout.machine.ts';
import { effectiveOptions } from '../engine/options.ts';
import { NO_UNDO, type RolloutModel, type RolloutOptions, type Target } from '../engine/rollout.model.ts';
import { modelOf, rowOf, waveRowOf, date } from '../engine/rollout.rows.ts';
import type { Control, ControlKind, Look, Report } from '../engine/step-input.ts';

/** An action as the world knows it: waits, is at the host, or has ended and was not told yet. */
interface WorldAction {
  readonly id: string;
  readonly hostId: string;
  readonly role: 'forward' | 'undo';
  state: 'queued' | 'sent';
}

/** What a host does with what it is sent. */
export interface Behaviour {
  readonly outcome: OutcomeWord;
  readonly code: string;
  readonly changed: boolean | null;
  readonly healthy: boolean;
}

/** Before a host whose kmod was in use is asked again. */
export const RETRY_MS = 30_000;

export const GOOD: Behaviour = { outcome: 'succeeded', code: '', changed: true, healthy: true };

/** A fleet, its hosts' connections and what they report, for the machine alone: no database, no time but the one given. */
export class SimulatedWorld {
  now = Date.UTC(2026, 0, 1);
  model: RolloutModel;
  halted = false;
  /** How the way back of a host ends. */
  undoes: (hostId: string) => OutcomeWord = () => 'succeeded';
  readonly connected = new Set<string>();
  readonly actions = new Map<string, WorldAction>();
  readonly decisions: Decision[] = [];
  #reports: Report[] = [];
  #looks: Look[] = [];
  #controls: Control[] = [];
  #wanted: string[] = [];
  #sequence = 0;
  readonly #behaviour: (hostId: string) => Behaviour;

  constructor(
    sizes: readonly number[],
    options: Partial<RolloutOptions> = {},
    behaviour: (hostId: string) => Behaviour = () => GOOD,
  ) {
    this.#behaviour = behaviour;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const effective = { ...effectiveOptions({}, total), bake: 0, concurrency: null, ...options };
    const targets = sizes.flatMap((size, wave) => Array.from({ length: size }, () => wave)).map(targetAt);
    for (const { hostId } of targets) this.connected.add(hostId);
    this.model = {
      rollout: {
        id: 'rollout',
        state: effective.requireApproval ? 'awaiting_approval' : 'running',
        why: '',
        options: effective,
        deadline: this.now + effective.deadline * 1000,
        wave: 0,
        memory: { accepted: {} },
        startedAt: null,
        endedAt: null,
      },
      waves: sizes.map((size, number) => ({
        number,
        size,
        startedAt: null,
        doneAt: null,
        bakeUntil: null,
        endedAt: null,
      })),
      targets: new Map(targets.map((target) => [target.hostId, target])),
    };
  }

  ask(kind: ControlKind): void {
    this.#sequence += 1;
    this.#controls.push({ seq: this.#sequence, kind, by: 'ops', reason: null });
  }

  /** One step of the watcher. */
  step(): Decision {
    const input = {
      now: this.now,
      controls: this.#controls,
      reports: this.#reports,
      connected: this.connected,
      halted: this.halted,
      tampered: false,
      looks: this.#looks,
      retryMs: RETRY_MS,
    };
    this.#controls = [];
    this.#reports = [];
    this.#looks = [];
    const decision = decide(this.model, input);
    const targets = new Map(decision.targets.map((target) => [target.hostId, target]));
    for (const effect of decision.effects) this.#carryOut(effect, targets);
    const done = { ...decision, targets: [...targets.values()] };
    this.model = applied(this.model, done);
    this.decisions.push(done);
    return done;
  }

  /** The watcher is gone; another one begins with the rows. What had been reported and not taken is reported again. */
  rebuild(): void {
    const { rollout, waves, targets } = this.model;
    const row = {
      id: rollout.id,
      state: rollout.state,
      state_why: rollout.why,
      options: rollout.options as unknown,
      deadline: new Date(rollout.deadline),
      wave: rollout.wave,
      memory: rollout.memory,
      started_at: date(rollout.startedAt),
      ended_at: date(rollout.endedAt),
    };
    const stored = JSON.parse(JSON.stringify([row.options, row.memory])) as [unknown, typeof row.memory];
    this.model = modelOf(
      { ...row, options: stored[0], memory: stored[1] },
      waves.map(waveRowOf),
      [...targets.values()].map(rowOf),
    );
  }

  /** Queued actions of connected hosts go out. */
  deliver(): void {
    for (const action of this.actions.values())
      if (action.state === 'queued' && this.connected.has(action.hostId) && !this.halted && this.isGateOpen)
        action.state = 'sent';
  }

  get isGateOpen(): boolean {
    return ['running', 'rolling_back'].includes(this.model.rollout.state);
  }

  /** Hosts report what they were sent. */
  report(limit = Infinity): void {
    for (const action of [...this.actions.values()].filter(({ state }) => state === 'sent').slice(0, limit)) {
      const { outcome, code, changed } = this.#behaviour(action.hostId);
      this.#end(
        action,
        action.role === 'undo'
          ? { outcome: this.undoes(action.hostId), code: '', changed: true }
          : { outcome, code, changed },
      );
    }
  }

  /** What was queued too long has not begun; what was sent too long may have. */
  expire(): void {
    for (const action of this.actions.values())
      this.#end(action, {
        outcome: action.state === 'queued' ? 'expired' : 'unconfirmed',
        code: '',
        changed: action.state === 'queued' ? false : null,
      });
  }

  /** A late report about every target that ended as unconfirmed. */
  resolve(): void {
    for (const target of this.model.targets.values())
      if (target.outcome === 'unconfirmed' && target.resolvedOutcome === null)
        this.#reports.push({
          ...this.#said(target.hostId, target.actionId, 'forward'),
          outcome: 'succeeded',
          changed: true,
          resolves: true,
        });
  }

  look(): void {
    for (const hostId of this.#wanted.splice(0)) {
      const { healthy } = this.#behaviour(hostId);
      const problems = healthy ? [] : [{ what: 'taint', detail: 'taint 512' }];
      this.#looks.push({ hostId, problems: this.connected.has(hostId) ? problems : null });
    }
  }

  /** Everything that happens in `ms`. */
  round(ms = 1_000): Decision {
    this.now += ms;
    this.deliver();
    this.report();
    this.look();
    return this.step();
  }

  /** Rounds until the rollout is over; at most `limit`. */
  run(limit = 200, ms = 1_000): void {
    for (let at = 0; at < limit && this.model.rollout.endedAt === null; at += 1) this.round(ms);
  }

  #end(action: WorldAction, how: Pick<Report, 'outcome' | 'code' | 'changed'>): void {
    this.actions.delete(action.id);
    this.#reports.push({ ...this.#said(action.hostId, action.id, action.role), ...how });
  }

  #said(hostId: string, actionId: string | null, role: Report['role']) {
    return { hostId, actionId, role, resolves: false, withdrawn: false, rightLost: false, code: '', message: '' };
  }

  #carryOut(effect: Decision['effects'][number], targets: Map<string, Target>): void {
    if (effect.kind === 'dispatch') {
      this.#sequence += 1;
      const id = `action-${this.#sequence}`;
      const target = targets.get(effect.hostId);
      if (target === undefined) throw new Error(`dispatch of ${effect.hostId}, which did not change`);
      this.actions.set(id, { id, hostId: effect.hostId, role: effect.role, state: 'queued' });
      targets.set(
        effect.hostId,
        effect.role === 'undo' ? { ...target, undo: { ...target.undo, actionId: id } } : { ...target, actionId: id },
      );
    } else if (effect.kind === 'withdraw') {
      for (const id of effect.actionIds) {
        const action = this.actions.get(id);
        if (action?.state !== 'queued') continue;
        this.actions.delete(id);
        this.#reports.push({
          ...this.#said(action.hostId, id, action.role),
          outcome: 'cancelled',
          changed: false,
          withdrawn: true,
        });
      }
    } else if (effect.kind === 'look') this.#wanted = [...effect.hostIds];
  }
}

function targetAt(wave: number, position: number): Target {
  return {
    hostId: `host-${position}`,
    position,
    wave,
    planClass: 0,
    late: false,
    state: 'pending',
    wait: '',
    outcome: null,
    resolvedOutcome: null,
    code: '',
    message: '',
    attempts: 0,
    actionId: null,
    notBefore: null,
    changed: null,
    health: [],
    healthSeen: false,
    undo: NO_UNDO,
    startedAt: null,
    endedAt: null,
  };
}
