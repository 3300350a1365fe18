import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AGAIN_MS,
  awaiting,
  BLIND_AGAIN_MS,
  PATIENCE_MS,
  STILL_AT_WORK_MS,
  WINDOW_START,
  type WindowEnd,
  type WindowEvent,
  type WindowState,
  windowStep,
} from './confirm.machine.ts';
import { causeOf, rightsOf } from './revert.ts';
import type { RevertReport } from './window-plan.ts';

const DEADLINE = 60_000;
const LIMITS = { deadlineMs: DEADLINE, giveUpMs: DEADLINE + 240_000 };

const reportOf = (cause: RevertReport['cause']): RevertReport => ({
  format: 1,
  actionId: 'a',
  cause,
  by: 'timer',
  restored: [],
  missing: [],
  rebootedToRecover: false,
  waitsForServer: false,
});

/** The one file, and whoever may rename it. */
type Disk = 'pending' | 'kept' | 'reverting' | 'reverted';

/** What happens next in the world; each as often and in whatever order fast-check likes. */
type Op =
  /** The agent does one thing. The server answers what it asks, and the answer arrives, is lost, or is a no. */
  | { readonly op: 'agent'; readonly server: 'yes' | 'no' | 'silent' | 'answer_lost'; readonly takesMs: number }
  | { readonly op: 'agent_dies' }
  | { readonly op: 'reboot' }
  | { readonly op: 'time'; readonly ms: number }
  /** The revert does one thing: claims, or reports. It is started by the timer when that is due. */
  | { readonly op: 'revert' }
  | { readonly op: 'revert_dies' };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('agent' as const),
      server: fc.constantFrom('yes' as const, 'no' as const, 'silent' as const, 'answer_lost' as const),
      takesMs: fc.integer({ min: 0, max: 20_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'agent_dies' as const }) },
  { weight: 1, arbitrary: fc.constant({ op: 'reboot' as const }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 30_000 }) }) },
  { weight: 4, arbitrary: fc.constant({ op: 'revert' as const }) },
  { weight: 1, arbitrary: fc.constant({ op: 'revert_dies' as const }) },
);

class World {
  disk: Disk = 'pending';
  now = 0;
  said = 0;
  /** The server's yes was in the agent's hands before the deadline. */
  heard = false;
  ends: WindowEnd[] = [];
  rebooted = false;
  /** A revert runs. */
  reverting = false;
  #state: WindowState | undefined = WINDOW_START;
  #event: WindowEvent | undefined = { kind: 'tick' };
  #timerFired = false;

  apply(one: Op): void {
    switch (one.op) {
      case 'agent':
        return this.#agent(one.server, one.takesMs);
      case 'agent_dies':
        this.#state = undefined;
        return;
      case 'reboot':
        this.#state = undefined;
        this.reverting = false;
        this.rebooted = true;
        return;
      case 'time':
        this.now += one.ms;
        return;
      case 'revert':
        return this.#revert();
      case 'revert_dies':
        this.reverting = false;
        return;
    }
  }

  get agentEnded(): boolean {
    return this.#state === undefined || this.#state.kind === 'ended';
  }

  #agent(server: 'yes' | 'no' | 'silent' | 'answer_lost', takesMs: number): void {
    if (this.#state === undefined || this.#event === undefined) return;
    const { next, effect } = windowStep(this.#state, this.#event, this.now, LIMITS);
    this.#state = next;
    this.#event = undefined;
    switch (effect?.kind) {
      case 'ask': {
        if (this.now >= DEADLINE) throw new Error('asked after the deadline');
        if (server === 'yes' || server === 'answer_lost') this.said++;
        this.now += takesMs;
        if (server === 'yes') this.heard ||= this.now < DEADLINE;
        this.#event = {
          kind: 'answer',
          answer:
            server === 'yes'
              ? { kind: 'confirmed', from: 'x' }
              : { kind: server === 'no' ? 'refused' : 'unreachable', message: '' },
        };
        return;
      }
      case 'sleep':
        this.now += effect.ms;
        this.#event = { kind: 'tick' };
        return;
      case 'claim': {
        const won = this.disk === 'pending';
        if (won) this.disk = 'kept';
        this.#event = { kind: 'claimed', won };
        return;
      }
      case 'begin_revert':
        this.reverting ||= this.disk === 'pending' || this.disk === 'reverting';
        this.#event = { kind: 'tick' };
        return;
      case 'look':
        this.#event = {
          kind: 'seen',
          claimed: this.disk !== 'pending',
          report: this.disk === 'reverted' ? reportOf('no_server') : undefined,
          atWork: this.reverting ? 'somebody' : 'nobody',
        };
        return;
      case 'end':
        this.ends.push(effect.end);
        return;
      case undefined:
        return;
    }
  }

  /** Timer (once), boot, or an agent that starts: they all begin the same thing. One that died does nothing until it is begun again. */
  #revert(): void {
    const timerFires = this.now >= DEADLINE && !this.#timerFired;
    const due = timerFires || this.rebooted || this.#state === undefined || this.reverting;
    if (!due) return;
    this.#timerFired ||= timerFires;
    if (this.disk === 'pending') {
      this.disk = 'reverting';
      this.reverting = true;
    } else if (this.disk === 'reverting') {
      this.reverting = false;
      this.disk = 'reverted';
    }
  }
}

describe('a confirm window, over any order of answers, crashes, reboots and clock', () => {
  it('ends kept with the server’s answer in time, or reverted; never both, never neither', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
        const world = new World();
        const seen: Disk[] = [world.disk];
        for (const one of ops) {
          world.apply(one);
          if (seen.at(-1) !== world.disk) seen.push(world.disk);
        }
        // Time goes on, and what is started by time and boot is started.
        for (
          let round = 0;
          round < 200 && (world.disk === 'pending' || world.disk === 'reverting' || !world.agentEnded);
          round++
        ) {
          world.apply({ op: 'time', ms: 1_000 });
          world.apply({ op: 'agent', server: 'silent', takesMs: 0 });
          world.apply({ op: 'revert' });
          if (seen.at(-1) !== world.disk) seen.push(world.disk);
        }
        expect(['kept', 'reverted']).toContain(world.disk);
        expect(seen.includes('kept') && seen.includes('reverting')).toBe(false);
        if (world.disk === 'kept') expect([world.heard, world.said > 0]).toEqual([true, true]);
        expect(world.ends.length).toBeLessThanOrEqual(1);
        for (const end of world.ends) expect(end.kind).toBe(world.disk);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the agent inside a window', () => {
  const step = (state: WindowState, event: WindowEvent, now: number) => windowStep(state, event, now, LIMITS);

  it('asks until the deadline and not after it', () => {
    expect(step(WINDOW_START, { kind: 'tick' }, DEADLINE - 1).effect).toEqual({ kind: 'ask', timeoutMs: 1 });
    expect(step(WINDOW_START, { kind: 'tick' }, DEADLINE).effect).toEqual({ kind: 'look' });
  });

  it('does not take an answer that comes after the deadline', () => {
    const answer: WindowEvent = { kind: 'answer', answer: { kind: 'confirmed', from: 'x' } };
    expect(step(WINDOW_START, answer, DEADLINE - 1).effect).toEqual({ kind: 'claim' });
    expect(step(WINDOW_START, answer, DEADLINE).effect).toEqual({ kind: 'look' });
  });

  it('gives up at once when the server says no', () => {
    const answer: WindowEvent = { kind: 'answer', answer: { kind: 'refused', message: '' } };
    expect(step(WINDOW_START, answer, 1).effect).toEqual({ kind: 'begin_revert', cause: 'refused' });
  });

  it('begins the revert that no timer began', () => {
    const waiting: WindowState = { ...awaiting('no_server'), begun: false } as WindowState;
    const seen: WindowEvent = { kind: 'seen', claimed: false, report: undefined, atWork: 'nobody' };
    expect(step(waiting, seen, DEADLINE + PATIENCE_MS - 1).effect).toEqual({ kind: 'look' });
    expect(step(waiting, seen, DEADLINE + PATIENCE_MS).effect).toEqual({ kind: 'begin_revert', cause: 'no_server' });
  });
});

describe('a revert that was begun', () => {
  const at = (state: WindowState, now: number, event: Partial<Extract<WindowEvent, { kind: 'seen' }>> = {}) =>
    windowStep(state, { kind: 'seen', claimed: true, report: undefined, atWork: 'nobody', ...event }, now, LIMITS);

  it.each([
    ['nobody', AGAIN_MS],
    ['not_known', BLIND_AGAIN_MS],
  ] as const)('is begun again when it has died (at work: %s)', (atWork, patience) => {
    const first = at(awaiting('refused'), DEADLINE, { atWork });
    expect(first.effect).toEqual({ kind: 'look' });
    expect(at(first.next, DEADLINE + patience - 1, { atWork }).effect).toEqual({ kind: 'look' });
    const again = at(first.next, DEADLINE + patience, { atWork });
    expect(again.effect).toEqual({ kind: 'begin_revert', cause: 'refused' });
    expect(at(again.next, DEADLINE + patience + 1, { atWork }).effect).toEqual({ kind: 'look' });
    expect(at(again.next, DEADLINE + 2 * patience, { atWork }).effect?.kind).toBe('begin_revert');
  });

  it('is left alone while it is at work, and counted from when it was last', () => {
    const quiet = at(awaiting('no_server'), DEADLINE);
    const works = at(quiet.next, DEADLINE + AGAIN_MS, { atWork: 'somebody' });
    expect(works.effect).toEqual({ kind: 'look' });
    expect(at(works.next, DEADLINE + 2 * AGAIN_MS).effect).toEqual({ kind: 'look' });
  });

  it('is called unknown when none has reported in time, and reverted only by its report', () => {
    const late = LIMITS.giveUpMs + 1;
    const unknown = { kind: 'not_known', attempts: 0, cause: 'no_server', claimed: true };
    expect(at(awaiting('no_server'), late).effect).toEqual({ kind: 'end', end: unknown });
    expect(at(awaiting('no_server'), late, { atWork: 'somebody' }).effect).toEqual({ kind: 'look' });
    expect(at(awaiting('no_server'), late + STILL_AT_WORK_MS, { atWork: 'somebody' }).effect?.kind).toBe('end');
    const report = { ...reportOf('no_server'), waitsForServer: true };
    expect(at(awaiting('no_server'), DEADLINE, { report, atWork: 'somebody' }).effect).toEqual({ kind: 'look' });
    expect(at(awaiting('no_server'), late, { report }).effect).toMatchObject({ end: { kind: 'reverted', report } });
  });
});

describe('a revert', () => {
  it('knows why: a reboot decides before all else, then what was asked for, then whether the agent lives', () => {
    expect(causeOf('refused', false, true)).toBe('rebooted');
    expect(causeOf('refused', true, false)).toBe('refused');
    expect(causeOf(undefined, true, true)).toBe('no_server');
    expect(causeOf(undefined, true, false)).toBe('agent_died');
  });

  it('only loads after a reboot, and touches no kmod after an oops', () => {
    expect(rightsOf(true, false)).toEqual({ kmods: 'all', network: true });
    expect(rightsOf(false, false)).toEqual({ kmods: 'load', network: false });
    expect(rightsOf(true, true)).toEqual({ kmods: 'none', network: true });
  });
});
