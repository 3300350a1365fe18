import { ConfirmEnd, type ConfirmReport, Outcome, Verb } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import type { ConfirmWindows } from './confirm-windows.ts';
import { MemoryJournal } from './journal/memory-journal.ts';
import { aRequest } from './testing/builders.ts';
import { anEngine, stopEngines } from './testing/engines.ts';
import { SimulatedKernel } from './testing/simulated-host.ts';

afterEach(stopEngines);

const REVERTED: ConfirmReport = {
  end: ConfirmEnd.CONFIRM_END_REVERTED,
  cause: 'no_server',
  windowSeconds: 30,
  deadlineMs: 1,
  attempts: 3,
  localAddress: '',
  restored: ['kmod dummy'],
  missing: [],
  rebootedToRecover: false,
  endedBy: 'timer',
};
const KEPT: ConfirmReport = {
  ...REVERTED,
  end: ConfirmEnd.CONFIRM_END_KEPT,
  cause: '',
  restored: [],
  endedBy: 'agent',
};
const GIVEN_UP: ConfirmReport = { ...REVERTED, end: ConfirmEnd.CONFIRM_END_NOT_ASKED, cause: 'step_failed' };

/** The window of a host, beside its engines: what it ended as stays until it is closed. */
class SimulatedWindow {
  end: ConfirmReport | undefined;
  calls: string[] = [];
  onEnd: () => void = () => undefined;
  hangs = false;

  readonly windows: ConfirmWindows = {
    obstacle: async () => undefined,
    open: async () => ({ kind: 'opened', deadlineServerMs: 1 }),
    putBack: async () => [],
    ask: async () => {
      this.onEnd();
      return this.hangs ? new Promise<never>(() => undefined) : (this.end ??= REVERTED);
    },
    giveUp: async () => (this.end = GIVEN_UP),
    again: async () => {
      this.calls.push('again');
      this.onEnd();
      return (this.end = GIVEN_UP);
    },
    afterCrash: async () => this.end,
    tidy: async () => {
      this.calls.push('tidy');
      this.end = undefined;
    },
    close: async () => {
      this.calls.push('close');
      this.end = undefined;
    },
  };
}

const RELOAD = { verb: Verb.VERB_RELOAD, confirmWindowSeconds: 30 };

describe('a disk that is full when an action ends', () => {
  /** A reload that was done, and whose result is not on the disk. */
  async function unwrittenReload() {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const journal = new MemoryJournal();
    const first = anEngine({ kernel, journal });
    first.host.beforeStep = () => void (journal.isFull = true);
    await first.engine.start();
    first.engine.submit(aRequest({ verb: Verb.VERB_RELOAD }));
    expect((await first.resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    return { kernel, journal, first };
  }

  it('does not forget a result that was not written, so that its work is not done again', async () => {
    const { kernel, journal, first } = await unwrittenReload();
    let isPutAway = false;
    const acknowledged = first.engine.acknowledge([aRequest().actionId]).then(() => (isPutAway = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([isPutAway, first.engine.unacknowledged().length]).toEqual([false, 1]);
    journal.isFull = false;
    await acknowledged;
    expect(first.engine.unacknowledged()).toEqual([]);
    await first.engine.stop();

    kernel.loaded.delete('dummy');
    const second = anEngine({ kernel, journal });
    await second.engine.start();
    second.engine.submit(aRequest({ verb: Verb.VERB_RELOAD }));
    expect((await second.resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(kernel.effects).toHaveLength(2);
    expect([...kernel.loaded]).toEqual([]);
  });

  it('writes it when the engine stops, if there is room by then', async () => {
    const { kernel, journal, first } = await unwrittenReload();
    journal.isFull = false;
    await first.engine.stop();
    kernel.loaded.delete('dummy');
    const second = anEngine({ kernel, journal });
    await second.engine.start();
    expect(second.engine.openActions()).toEqual([]);
    expect(second.engine.unacknowledged().map((result) => result.outcome)).toEqual([Outcome.OUTCOME_SUCCEEDED]);
  });

  /** The disk is full from the end of the window on. */
  function fullAtTheEnd() {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const journal = new MemoryJournal();
    const window = new SimulatedWindow();
    window.onEnd = () => void (journal.isFull = true);
    return { kernel, journal, window };
  }

  it('keeps the window until its end is written: what was reverted is not called succeeded', async () => {
    const { kernel, journal, window } = fullAtTheEnd();
    const first = anEngine({ kernel, journal, windows: window.windows, dies: true });
    await first.engine.start();
    first.engine.submit(aRequest(RELOAD));
    expect((await first.resultNo(1)).outcome).toBe(Outcome.OUTCOME_REVERTED);
    expect(window.end).toEqual(REVERTED);

    journal.isFull = false;
    const second = anEngine({ kernel, journal, windows: window.windows });
    await second.engine.start();
    expect(await second.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_REVERTED, confirm: REVERTED });
    expect(window.end).toBeUndefined();
  });

  it('forgets the window when there is room again, so that the next action finds none', async () => {
    const { kernel, journal, window } = fullAtTheEnd();
    const { engine, resultNo } = anEngine({ kernel, journal, windows: window.windows });
    await engine.start();
    engine.submit(aRequest(RELOAD));
    await resultNo(1);
    window.calls = [];
    journal.isFull = false;
    engine.submit(aRequest({ actionId: 'next', kmod: 'tun' }));
    await resultNo(2);
    expect(window.calls).toEqual(['tidy']);
  });
});

describe('a step that hangs inside a window', () => {
  async function stuckUnload() {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const window = new SimulatedWindow();
    const journal = new MemoryJournal();
    const one = anEngine({ kernel, windows: window.windows, journal });
    one.host.ends = () => ({ kind: 'stuck', message: 'dummy is still unloading' });
    await one.engine.start();
    one.engine.submit(aRequest({ verb: Verb.VERB_UNLOAD, confirmWindowSeconds: 30 }));
    await one.resultNo(1);
    // What the start did is of no matter here.
    window.calls = window.calls.filter((call) => call !== 'tidy');
    expect(await one.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_STUCK, confirm: GIVEN_UP });
    return { ...one, window, kernel, journal };
  }

  it('keeps the window, and reverts once more when the routine returns: nothing was confirmed', async () => {
    const { kernel, window, resultNo, engine } = await stuckUnload();
    expect(window.calls).toEqual([]);
    window.onEnd = () => kernel.loaded.add('dummy');
    kernel.halfway.clear();
    kernel.loaded.delete('dummy');
    const late = await resultNo(2);
    expect(late).toMatchObject({ outcome: Outcome.OUTCOME_REVERTED, loadedAfter: true, confirm: GIVEN_UP });
    expect(late.message).toContain(
      'its exit routine returned late; the confirm window of 30 s ended without a confirm',
    );
    expect(window.calls).toEqual(['again', 'close']);
    await engine.stop();
  });

  it('also when another engine sees it', async () => {
    const { kernel, window, journal, engine } = await stuckUnload();
    await engine.stop();
    const second = anEngine({ kernel, journal, windows: window.windows });
    await second.engine.start();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(window.calls).toEqual([]);
    kernel.halfway.clear();
    kernel.loaded.delete('dummy');
    expect((await second.resultNo(1)).outcome).toBe(Outcome.OUTCOME_REVERTED);
  });

  it('and ends with the reboot', async () => {
    const { kernel, window, journal, engine } = await stuckUnload();
    await engine.stop();
    kernel.bootId = 'boot-2';
    kernel.halfway.clear();
    const second = anEngine({ kernel, journal, windows: window.windows });
    await second.engine.start();
    expect(await second.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_INTERRUPTED, loadedAfter: true });
    expect(window.calls).toEqual(['close']);
  });
});

describe('a window that was kept before the end could be written', () => {
  async function keptThen(meanwhile: (kernel: SimulatedKernel) => void) {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const journal = new MemoryJournal();
    const window = new SimulatedWindow();
    window.hangs = true;
    const first = anEngine({ kernel, journal, windows: window.windows, dies: true });
    const asked = new Promise<void>((resolve) => (window.onEnd = resolve));
    await first.engine.start();
    first.engine.submit(aRequest({ verb: Verb.VERB_UNLOAD, confirmWindowSeconds: 30 }));
    await asked;
    window.end = KEPT;
    meanwhile(kernel);
    const second = anEngine({ kernel, journal, windows: window.windows });
    await second.engine.start();
    return second.resultNo(1);
  }

  it('is a success where it still holds', async () => {
    const result = await keptThen(() => undefined);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED, confirm: KEPT, loadedAfter: false });
    expect(result.message).toBe('kept; the agent was restarted meanwhile, and dummy is not loaded');
  });

  it('says nothing of what the next boot loaded', async () => {
    const result = await keptThen((kernel) => {
      kernel.bootId = 'boot-2';
      kernel.loaded.add('dummy');
    });
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_INTERRUPTED, loadedAfter: true, confirm: KEPT });
    expect(result.message).toContain('then the host went down before the end was written; dummy is loaded now');
  });

  it('nor of what somebody did since', async () => {
    const result = await keptThen((kernel) => kernel.loaded.add('dummy'));
    expect(result.outcome).toBe(Outcome.OUTCOME_INTERRUPTED);
  });
});

describe('a file for the next boot, inside a window', () => {
  async function ensureUnloaded(end: ConfirmReport) {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    kernel.persisted.add('dummy');
    const window = new SimulatedWindow();
    window.onEnd = () => {
      window.end = end;
      // Asked before the file is touched.
      expect([kernel.loaded.size, kernel.persisted.size]).toEqual([0, 1]);
      if (end === REVERTED) kernel.loaded.add('dummy');
    };
    const { engine, resultNo } = anEngine({ kernel, windows: window.windows });
    await engine.start();
    engine.submit(aRequest({ verb: Verb.VERB_ENSURE_UNLOADED, confirmWindowSeconds: 30 }));
    return { result: await resultNo(1), kernel, window };
  }

  it('is removed when the change was kept', async () => {
    const { result, kernel, window } = await ensureUnloaded(KEPT);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED, confirm: KEPT });
    expect(result.steps.map(({ step }) => step?.kind)).toEqual(['rmmod', 'unpersist']);
    expect(result.undo.map(({ kind }) => kind)).toEqual(['load', 'persist']);
    expect(kernel.persisted.size).toBe(0);
    expect(window.calls).toContain('close');
  });

  it('stays when it was not, and there is nothing to undo', async () => {
    const { result, kernel } = await ensureUnloaded(REVERTED);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_REVERTED, undo: [] });
    expect(kernel.persisted.size).toBe(1);
  });
});
