import { Outcome, Verb } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { FailingJournal, MemoryJournal } from './journal/memory-journal.ts';
import { Ledger } from './ledger.ts';
import { aRequest } from './testing/builders.ts';
import { anEngine, stopEngines } from './testing/engines.ts';
import { SimulatedKernel } from './testing/simulated-host.ts';

afterEach(stopEngines);

describe('action engine', () => {
  it('loads, reports, and answers the same id again without doing it again', async () => {
    const { engine, resultNo, kernel } = anEngine();
    await engine.start();
    engine.submit(aRequest());
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    kernel.loaded.clear();
    engine.submit(aRequest());
    expect(await resultNo(2)).toEqual(await resultNo(1));
    await engine.acknowledge([aRequest().actionId]);
    expect(engine.unacknowledged()).toEqual([]);
    engine.submit(aRequest());
    expect(await resultNo(3)).toMatchObject({
      outcome: Outcome.OUTCOME_SUCCEEDED,
      message: expect.stringContaining('already reported'),
    });
    expect(kernel.effects).toHaveLength(1);
  });

  it('refuses an id that was used for something else', async () => {
    const { engine, resultNo, kernel } = anEngine();
    await engine.start();
    engine.submit(aRequest());
    await resultNo(1);
    engine.submit(aRequest({ kmod: 'tun' }));
    expect(await resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'id_conflict' });
    expect([...kernel.loaded]).toEqual(['dummy']);
  });

  it('refuses to act where the journal cannot be written, and touches nothing', async () => {
    const { engine, resultNo, kernel } = anEngine({ journal: new FailingJournal('ENOSPC: no space left on device') });
    await engine.start();
    engine.submit(aRequest());
    const result = await resultNo(1);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'unjournalled' });
    expect(result.message).toContain('no space left');
    expect(kernel.effects).toEqual([]);
  });

  it('still answers a dry run there', async () => {
    const { engine, resultNo } = anEngine({ journal: new FailingJournal() });
    await engine.start();
    engine.submit(aRequest({ dryRun: true }));
    expect(await resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED, dryRun: true, steps: [] });
  });

  it('refuses to act on a damaged journal, and says where the damage is', async () => {
    const journal = new MemoryJournal();
    const first = anEngine({ journal });
    await first.engine.start();
    first.engine.submit(aRequest());
    await first.resultNo(1);
    journal.text = journal.text.replace('"kind":"intent"', '"kind":"intend"');
    const second = anEngine({ journal });
    await second.engine.start();
    second.engine.submit(aRequest({ actionId: 'another', kmod: 'tun' }));
    const result = await second.resultNo(1);
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'unjournalled' });
    expect(result.message).toMatch(/damaged at line 2/);
    expect(second.kernel.effects).toEqual([]);
    expect(second.log.lines.join()).toContain('damaged');
  });

  it('answers from what is left of a damaged journal', async () => {
    const journal = new MemoryJournal();
    const first = anEngine({ journal });
    await first.engine.start();
    first.engine.submit(aRequest());
    await first.resultNo(1);
    const line = journal.text.split('\n')[1] ?? '';
    journal.text = journal.text.replace(line, `${line.slice(0, 60)}X${line.slice(61)}`);
    const second = anEngine({ journal });
    await second.engine.start();
    expect(second.engine.unacknowledged().map((result) => result.outcome)).toEqual([Outcome.OUTCOME_SUCCEEDED]);
  });

  it('does not begin again what was cut off in the journal', async () => {
    const journal = new MemoryJournal();
    const first = anEngine({ journal });
    await first.engine.start();
    first.engine.submit(aRequest());
    await first.resultNo(1);
    // The disk lost everything after the first half of the intent.
    journal.text = journal.text.slice(0, journal.text.indexOf('"kind":"intent"'));
    const second = anEngine({ journal });
    await second.engine.start();
    second.engine.submit(aRequest());
    expect(await second.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_INTERRUPTED });
    expect(second.kernel.effects).toEqual([]);
  });

  it('begins nothing past its expiry, and nothing without server time', async () => {
    const { engine, resultNo, kernel, clock } = anEngine();
    await engine.start();
    clock.ms = 999_996;
    engine.submit(aRequest());
    expect(await resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_EXPIRED, startedAtMs: 0 });
    clock.known = false;
    engine.submit(aRequest({ actionId: 'b', expiresAtMs: 9_000_000 }));
    expect(await resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'no_server_time' });
    expect(kernel.effects).toEqual([]);
  });

  it('cancels what waits, and refuses to cancel what runs', async () => {
    const { engine, host, resultNo, kernel } = anEngine();
    const phases: string[] = [];
    engine.onProgress(({ actionId, phase }) => phases.push(`${actionId} ${phase}`));
    await engine.start();
    let go = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      host.beforeStep = () => {
        resolve();
        return new Promise<void>((release) => (go = release));
      };
    });
    engine.submit(aRequest({ actionId: 'runs' }));
    engine.submit(aRequest({ actionId: 'waits', kmod: 'tun' }));
    await begun;
    engine.cancel('runs');
    engine.cancel('waits');
    expect(await resultNo(1)).toMatchObject({ actionId: 'waits', outcome: Outcome.OUTCOME_CANCELLED });
    go();
    expect(await resultNo(2)).toMatchObject({ actionId: 'runs', outcome: Outcome.OUTCOME_SUCCEEDED });
    expect(phases).toContain('runs 3');
    expect([...kernel.loaded]).toEqual(['dummy']);
  });

  it('does not begin a request that comes while its cancel is on the way to the disk', async () => {
    const journal = new MemoryJournal();
    let write: () => void = () => undefined;
    const append = journal.append.bind(journal);
    journal.append = async (record) => {
      if (record.kind === 'tombstone') await new Promise<void>((resolve) => (write = resolve));
      return append(record);
    };
    const { engine, resultNo, kernel } = anEngine({ journal });
    await engine.start();
    engine.cancel(aRequest().actionId);
    engine.submit(aRequest());
    await new Promise((resolve) => setImmediate(resolve));
    write();
    for (const number of [1, 2]) expect((await resultNo(number)).outcome).toBe(Outcome.OUTCOME_CANCELLED);
    expect(kernel.effects).toEqual([]);
  });

  it('cancels an id that it has not seen yet, for good', async () => {
    const journal = new MemoryJournal();
    const { engine, resultNo, kernel } = anEngine({ journal });
    await engine.start();
    engine.cancel('later');
    expect(await resultNo(1)).toMatchObject({ actionId: 'later', outcome: Outcome.OUTCOME_CANCELLED });
    engine.submit(aRequest({ actionId: 'later' }));
    expect(await resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_CANCELLED });
    expect(kernel.effects).toEqual([]);
  });

  it('finishes the load half of a reload after a crash', async () => {
    const journal = new MemoryJournal();
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const first = anEngine({ journal, kernel, dies: true });
    await first.engine.start();
    const dead = new Promise<void>((resolve) => {
      first.host.afterStep = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    first.engine.submit(aRequest({ verb: Verb.VERB_RELOAD }));
    await dead;
    expect([...kernel.loaded]).toEqual([]);

    const second = anEngine({ journal, kernel });
    second.clock.known = false;
    second.host.survivors = 2;
    await second.engine.start();
    expect(await second.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED, loadedAfter: true });
    expect([...kernel.loaded]).toEqual(['dummy']);
  });

  it('reports a stuck unload, keeps its word, and reports its late end once', async () => {
    const { engine, host, resultNo, kernel, results } = anEngine();
    kernel.loaded.add('dummy');
    host.ends = () => ({ kind: 'stuck', message: 'dummy is still unloading' });
    await engine.start();
    engine.submit(aRequest({ verb: Verb.VERB_UNLOAD }));
    expect(await resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_STUCK, loadedAfter: true });
    await engine.acknowledge([aRequest().actionId]);
    kernel.halfway.clear();
    kernel.loaded.clear();
    expect(await resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED, loadedAfter: false });
    await engine.stop();
    expect(results).toHaveLength(2);
  });

  it.each([
    ['rmmod', 'its unload was refused late', true, Outcome.OUTCOME_FAILED],
    ['rmmod', 'its unload was done late', false, Outcome.OUTCOME_FAILED],
    ['modprobe', 'its load was done late', true, Outcome.OUTCOME_SUCCEEDED],
  ] as const)('a reload stuck in %s, of which %s', async (stuckIn, _what, isLoaded, outcome) => {
    const journal = new MemoryJournal();
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const first = anEngine({ journal, kernel });
    first.host.ends = (step) => (step.kind === stuckIn ? { kind: 'stuck', message: 'stuck' } : { kind: 'done' });
    await first.engine.start();
    first.engine.submit(aRequest({ verb: Verb.VERB_RELOAD }));
    expect((await first.resultNo(1)).outcome).toBe(Outcome.OUTCOME_STUCK);
    await first.engine.acknowledge([aRequest().actionId]);
    await first.engine.stop();
    // Also from a journal that was made small meanwhile: it says in which step.
    const { records } = await journal.open();
    await journal.rewrite(new Ledger(records).records());
    kernel.halfway.clear();
    if (isLoaded) kernel.loaded.add('dummy');
    else kernel.loaded.delete('dummy');
    const second = anEngine({ journal, kernel });
    await second.engine.start();
    expect(await second.resultNo(1)).toMatchObject({ outcome, loadedAfter: isLoaded });
  });

  it('does not say how a stuck step ended while its program is still at it', async () => {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    const { engine, host, resultNo } = anEngine({ kernel });
    host.ends = () => ({ kind: 'stuck', message: 'rmmod dummy may still be at it' });
    host.afterStep = () => kernel.halfway.clear();
    await engine.start();
    host.survivors = 3;
    engine.submit(aRequest({ verb: Verb.VERB_UNLOAD }));
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_STUCK);
    expect((await resultNo(2)).outcome).toBe(Outcome.OUTCOME_FAILED);
    expect(host.survivors).toBeLessThan(0);
  });

  it('says nothing else of an action that was done when whoever hears of it fails', async () => {
    const { engine, results, resultNo, log } = anEngine();
    let fails = true;
    engine.onResult(() => {
      if (fails) throw new Error('the stream is gone');
    });
    await engine.start();
    engine.submit(aRequest());
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    fails = false;
    engine.submit(aRequest({ actionId: 'next', kmod: 'tun' }));
    await resultNo(2);
    expect(results.map((result) => result.actionId)).toEqual([aRequest().actionId, 'next']);
    expect(engine.unacknowledged()).toHaveLength(2);
    expect(log.lines).toContain('the action broke off');
  });

  it('does nothing more after the kernel has died, in this boot', async () => {
    const journal = new MemoryJournal();
    const kernel = new SimulatedKernel();
    const { engine, host, resultNo } = anEngine({ journal, kernel });
    host.ends = () => ({ kind: 'kernel_died', message: 'oops' });
    await engine.start();
    engine.submit(aRequest());
    expect(await resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_FAILED, reasonCode: 'kernel_died' });
    const second = anEngine({ journal, kernel });
    await second.engine.start();
    second.engine.submit(aRequest({ actionId: 'next', kmod: 'tun' }));
    expect(await second.resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'kernel_died' });
    kernel.bootId = 'boot-2';
    second.engine.submit(aRequest({ actionId: 'after', kmod: 'tun' }));
    expect(await second.resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED });
  });

  it('puts events down to the action that runs, and no longer than a moment after', async () => {
    const { engine, host, resultNo, clock } = anEngine();
    const seen: (string | undefined)[] = [];
    host.afterStep = () => void seen.push(engine.attributionOf('dummy'), engine.attributionOf('tun'));
    await engine.start();
    engine.submit(aRequest());
    await resultNo(1);
    expect(seen).toEqual([aRequest().actionId, undefined]);
    expect(engine.attributionOf('dummy')).toBe(aRequest().actionId);
    clock.ms += 60_000;
    expect(engine.attributionOf('dummy')).toBeUndefined();
  });
});

describe('what an action changed', () => {
  const run = async (kernel: SimulatedKernel, changes: Parameters<typeof aRequest>[0]) => {
    const { engine, resultNo } = anEngine({ kernel });
    await engine.start();
    engine.submit(aRequest(changes));
    return resultNo(1);
  };

  it('is in its result as what would undo it, and a restore of that leads back', async () => {
    const kernel = new SimulatedKernel();
    const done = await run(kernel, { verb: Verb.VERB_ENSURE_LOADED });
    expect(done).toMatchObject({
      outcome: Outcome.OUTCOME_SUCCEEDED,
      undo: [
        { kind: 'unpersist', kmod: 'dummy', parameters: [] },
        { kind: 'unload', kmod: 'dummy', parameters: [] },
      ],
      healthBefore: { bootId: 'boot-1' },
    });
    const back = await run(kernel, { verb: Verb.VERB_RESTORE, undo: done.undo });
    expect(back.outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect([kernel.loaded.size, kernel.persisted.size]).toEqual([0, 0]);
    expect(back.undo.map(({ kind }) => kind)).toEqual(['load', 'persist']);
    expect((await run(kernel, { verb: Verb.VERB_RESTORE, undo: done.undo })).outcome).toBe(Outcome.OUTCOME_UNCHANGED);
  });

  it('of values is the former ones', async () => {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    kernel.parameters.set('dummy.a', '1');
    const done = await run(kernel, { verb: Verb.VERB_SET_PARAMETERS, parameters: ['a=2'] });
    expect(done.undo).toEqual([{ kind: 'set_parameters', kmod: 'dummy', parameters: ['a=1'] }]);
    expect(done.message).toBe('dummy has a=2');
  });

  it('is nothing where nothing was begun', async () => {
    const kernel = new SimulatedKernel();
    kernel.loaded.add('dummy');
    expect(await run(kernel, {})).toMatchObject({ undo: [], healthBefore: undefined });
    const refused = await run(new SimulatedKernel(), { approvedPlans: [Buffer.alloc(32)] });
    expect(refused).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'drifted', steps: [], undo: [] });
  });

  it('is known after a crash: what the host was like before is in the journal', async () => {
    const [kernel, journal] = [new SimulatedKernel(), new MemoryJournal()];
    const first = anEngine({ kernel, journal, dies: true });
    const begun = new Promise<void>((resolve) => {
      first.host.afterStep = (step) => {
        if (step.kind !== 'modprobe') return undefined;
        resolve();
        return new Promise(() => undefined);
      };
    });
    await first.engine.start();
    first.engine.submit(aRequest({ verb: Verb.VERB_ENSURE_LOADED }));
    await begun;
    const second = anEngine({ kernel, journal });
    await second.engine.start();
    expect(await second.resultNo(1)).toMatchObject({
      outcome: Outcome.OUTCOME_INTERRUPTED,
      undo: [{ kind: 'unload', kmod: 'dummy', parameters: [] }],
      healthBefore: { bootId: 'boot-1' },
    });
  });
});
