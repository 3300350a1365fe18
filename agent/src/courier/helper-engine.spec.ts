import { duplexPair } from 'node:stream';
import { ActionPhase, type ActionResult, JournalState, Outcome, Verb } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import type { ActionProgressReport } from '../actions/action-engine.ts';
import { encodeJournal } from '../actions/journal/journal-codec.ts';
import { MemoryJournal } from '../actions/journal/memory-journal.ts';
import type { ConfirmAnswer } from '../confirm/confirmer.ts';
import { SERVES_MS } from '../helper/helper-connection.ts';
import { HelperWorld, HOST_ID } from '../helper/testing/helper-world.ts';
import { HelperEngine } from './helper-engine.ts';
import { linkOver, type OpenLink } from './helper-link.ts';

const engines: HelperEngine[] = [];
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop();
});

interface CourierOptions {
  readonly hostId?: string;
  readonly confirm?: ConfirmAnswer;
  readonly openLink?: OpenLink;
  /** Timers up to here are over at once, ms. */
  readonly hasteMs?: number;
}

function aCourier(world: HelperWorld, options: CourierOptions = {}) {
  const engine = new HelperEngine({
    openLink: options.openLink ?? world.openLink,
    hostId: options.hostId ?? HOST_ID,
    authorities: () => [world.commands.authority.raw],
    trust: () => undefined,
    clock: world.clock.boot,
    serverClock: world.clock.server,
    serverRoute: () => ({ remoteAddress: '192.0.2.1' }),
    confirmer: { confirm: () => Promise.resolve(options.confirm ?? { kind: 'unreachable', message: 'no' }) },
    log: world.log,
    // Retries at once; whatever waits longer than two seconds waits for something that a test does not want to wait for.
    timers: {
      set: (work, ms) => (ms <= (options.hasteMs ?? 2_000) ? setImmediate(work) : undefined),
      clear: (timer) => clearImmediate(timer as NodeJS.Immediate | undefined),
    },
  });
  engines.push(engine);
  const results: ActionResult[] = [];
  const progress: ActionProgressReport[] = [];
  engine.onResult((result) => results.push(result));
  engine.onProgress((report) => progress.push(report));
  const until = async (holds: () => boolean): Promise<void> => {
    for (let turn = 0; !holds(); turn++) {
      if (turn > 5_000) throw new Error(`it does not come about: ${JSON.stringify({ results, progress })}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const resultNo = async (number: number): Promise<ActionResult> => {
    await until(() => results.length >= number);
    return results[number - 1] as ActionResult;
  };
  return { engine, results, progress, resultNo, until };
}

describe('the courier', () => {
  it('carries a request to a helper of its own, and lets it go when the server has the result', async () => {
    const world = new HelperWorld();
    const { engine, resultNo, until, progress } = aCourier(world);
    engine.submit(world.request());
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(progress.map((report) => report.phase)).toContain(ActionPhase.ACTION_PHASE_STARTED);
    expect(engine.unacknowledged()).toHaveLength(1);
    expect(engine.attributionOf('dummy')).toBe(world.request().actionId);
    await engine.acknowledge([world.request().actionId]);
    await world.helpers[0]?.done;
    expect(engine.unacknowledged()).toEqual([]);
    engine.submit(world.request());
    expect((await resultNo(2)).message).toContain('already reported');
    await until(() => world.helpers.length === 2);
    expect(world.kernel.effects).toHaveLength(1);
  });

  it('goes on with another helper when one has served for long enough, between two actions and never inside one', async () => {
    const world = new HelperWorld();
    const { engine, resultNo } = aCourier(world);
    const later = { expiresAtMs: world.clock.ms + 2 * SERVES_MS.act };
    const second = world.request({ actionId: '00000000-0000-4000-8000-00000000000b', kmod: 'tun', ...later });
    world.prepare = (host) => {
      // The first action takes longer than a helper serves, and the second waits meanwhile.
      host.beforeStep = () => {
        if (world.helpers.length > 1) return;
        world.clock.ms += SERVES_MS.act;
        engine.submit(second);
      };
    };
    engine.submit(world.request(later));
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect((await resultNo(2)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    await world.helpers[0]?.done;
    expect(world.helpers).toHaveLength(2);
    expect(world.kernel.effects).toHaveLength(2);
  });

  it('takes the next helper for what is asked while one is being let go', async () => {
    const world = new HelperWorld();
    const next = world.request({ actionId: '00000000-0000-4000-8000-00000000000b', kmod: 'tun' });
    let letGo = (): void => undefined;
    const { engine, resultNo } = aCourier(world, {
      openLink: async (kind) => {
        const link = await world.openLink(kind);
        return { ...link, close: () => (link.close(), letGo()) };
      },
    });
    engine.submit(world.request());
    await resultNo(1);
    letGo = () => {
      letGo = () => undefined;
      engine.submit(next);
    };
    await engine.acknowledge([world.request().actionId]);
    expect((await resultNo(2)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(world.helpers).toHaveLength(2);
    expect(world.log.lines).toEqual([]);
  });

  it('keeps the worst that a helper told of the journal: the next one sees nothing of what was mended', async () => {
    const world = new HelperWorld();
    const { engine, resultNo, until } = aCourier(world);
    expect(engine.journalState()).toBe(JournalState.JOURNAL_STATE_UNSPECIFIED);
    const sealed = encodeJournal([{ kind: 'step', id: 'a', index: 1 }]);
    world.journal = new MemoryJournal(sealed.slice(0, -4));
    await engine.start();
    await until(() => engine.journalState() === JournalState.JOURNAL_STATE_SEAL_LOST);
    await world.helpers[0]?.done;
    engine.submit(world.request());
    await resultNo(1);
    expect(world.helpers).toHaveLength(2);
    expect(engine.journalState()).toBe(JournalState.JOURNAL_STATE_SEAL_LOST);
  });

  it('asks the helper that only looks for a dry run', async () => {
    const world = new HelperWorld();
    const { engine, resultNo } = aCourier(world);
    engine.submit(world.request({ dryRun: true }));
    expect((await resultNo(1)).message).toContain('dry run');
    expect(world.helpers.map((helper) => helper.kind)).toEqual(['evidence']);
    expect(world.kernel.effects).toEqual([]);
    await world.helpers[0]?.done;
    expect(engine.unacknowledged()).toHaveLength(1);
    await engine.acknowledge([world.request().actionId]);
    expect(engine.unacknowledged()).toEqual([]);
  });

  it('says nothing of a request that was sent before while there is no helper: one may have done it', async () => {
    const world = new HelperWorld();
    world.unreachable = '/run/modfleet/helper.sock: ENOENT';
    const { engine, results, until } = aCourier(world);
    engine.submit({ ...world.request(), sentBefore: true });
    await until(() => world.log.lines.some((line) => line.includes('not answered now')));
    expect(results).toEqual([]);
    expect(engine.unacknowledged()).toEqual([]);
  });

  it('refuses, and says why, while there is no helper; later requests find one', async () => {
    const world = new HelperWorld();
    world.unreachable = '/run/modfleet/helper.sock: ENOENT';
    const { engine, resultNo } = aCourier(world);
    engine.submit(world.request());
    const refused = await resultNo(1);
    expect(refused).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'unsupported' });
    expect(refused.message).toMatch(/ENOENT.*nothing was touched/);
    engine.submit(world.request());
    expect(await resultNo(2)).toEqual(refused);
    world.unreachable = undefined;
    engine.submit(world.request({ actionId: '00000000-0000-4000-8000-00000000000b' }));
    expect((await resultNo(3)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
  });

  it('refuses when helpers end before they are ready, and acts when one stays', async () => {
    const world = new HelperWorld();
    let starts = 0;
    const { engine, resultNo } = aCourier(world, {
      openLink: (kind) => {
        starts += 1;
        if (starts > 3) return world.openLink(kind);
        const [ours, theirs] = duplexPair();
        theirs.end();
        return Promise.resolve(linkOver(ours));
      },
    });
    engine.submit(world.request());
    const refused = await resultNo(1);
    expect(refused).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'unsupported' });
    expect(refused.message).toMatch(/does not start.*nothing was touched/);
    expect(world.kernel.effects).toEqual([]);
    engine.submit(world.request({ actionId: '00000000-0000-4000-8000-00000000000b' }));
    expect((await resultNo(2)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
  });

  it('is busy, and not unable, when helpers take too long to be ready', async () => {
    const world = new HelperWorld();
    const { engine, resultNo } = aCourier(world, {
      openLink: () => Promise.resolve(linkOver(duplexPair()[0])),
      hasteMs: 90_000,
    });
    engine.submit(world.request());
    const refused = await resultNo(1);
    expect(refused).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'busy' });
    expect(refused.message).toMatch(/not ready in 90 s.*nothing was touched/);
  });

  it('refuses what a helper refuses to take, also all of a connection', async () => {
    const world = new HelperWorld();
    world.hostId = '00000000-0000-4000-8000-0000000000ff';
    const { engine, resultNo } = aCourier(world);
    engine.submit(world.request());
    expect(await resultNo(1)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED });
    world.hostId = HOST_ID;
    engine.submit(world.request({ actionId: '00000000-0000-4000-8000-00000000000b', parameters: ['no parameter'] }));
    expect(await resultNo(2)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED });
    expect(world.kernel.effects).toEqual([]);
  });

  it('asks again when a helper dies in the middle, and the journal answers', async () => {
    const world = new HelperWorld();
    world.prepare = (host) => {
      if (world.helpers.length > 0) return;
      // The step had its effect; then the process was gone.
      host.afterStep = () => {
        world.helpers[0]?.end.destroy();
        return new Promise<void>(() => undefined);
      };
    };
    const { engine, resultNo } = aCourier(world);
    engine.submit(world.request());
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(world.kernel.effects).toHaveLength(1);
    expect(world.helpers.length).toBeGreaterThan(1);
  });

  it('keeps the helper, on a full disk, until the result is written', async () => {
    const world = new HelperWorld();
    world.prepare = (host) => {
      host.beforeStep = () => void (world.journal.isFull = true);
    };
    const { engine, resultNo, until } = aCourier(world);
    engine.submit(world.request());
    await resultNo(1);
    await engine.acknowledge([world.request().actionId]);
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(world.helpers).toHaveLength(1);
    world.journal.isFull = false;
    await world.helpers[0]?.done;
    await until(() => engine.openActions().length === 0);
    // The next helper knows it, and does nothing.
    engine.submit(world.request());
    expect((await resultNo(2)).message).toContain('nothing was done again');
    expect([world.helpers.length, world.kernel.effects.length]).toEqual([2, 1]);
  });

  it('does not take back what it was told of an action by who did it', async () => {
    const world = new HelperWorld();
    world.kernel.loaded.add('dummy');
    world.prepare = (host) => {
      if (world.helpers.length > 0) return;
      host.ends = () => ({ kind: 'rejected', message: 'the kernel said no' });
      host.beforeStep = () => void (world.journal.isFull = true);
    };
    const { engine, resultNo, results, until } = aCourier(world);
    engine.submit(world.request({ verb: Verb.VERB_UNLOAD }));
    expect((await resultNo(1)).outcome).toBe(Outcome.OUTCOME_FAILED);
    // Killed before there was room: the next one finds the action open, and can only say that it was interrupted.
    world.helpers[0]?.end.destroy();
    await world.helpers[0]?.done;
    world.journal.isFull = false;
    await engine.start();
    await until(() => world.journal.text.includes('"reasonCode":"interrupted"'));
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(engine.unacknowledged().map((result) => result.outcome)).toEqual([Outcome.OUTCOME_FAILED]);
    expect(results.every((result) => result.outcome === Outcome.OUTCOME_FAILED)).toBe(true);
  });

  it('hears at its start how an action ended whose courier was gone', async () => {
    const world = new HelperWorld();
    const first = aCourier(world);
    let goOn: () => void = () => undefined;
    world.prepare = (host) => {
      host.beforeStep = () => new Promise<void>((resolve) => (goOn = resolve));
    };
    first.engine.submit(world.request());
    await first.until(() => first.progress.some((one) => one.phase === ActionPhase.ACTION_PHASE_STARTED));
    await first.engine.stop();
    goOn();
    await world.helpers[0]?.done;
    world.prepare = () => undefined;
    const second = aCourier(world);
    await second.engine.start();
    expect((await second.resultNo(1)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(world.kernel.effects).toHaveLength(1);
    expect(second.engine.openActions()).toEqual([]);
  });

  it('cancels what waits, and says so when it is too late', async () => {
    const world = new HelperWorld();
    let goOn: () => void = () => undefined;
    world.prepare = (host) => {
      host.beforeStep = () => new Promise<void>((resolve) => (goOn = resolve));
    };
    const { engine, resultNo, progress, until } = aCourier(world);
    const second = '00000000-0000-4000-8000-00000000000b';
    engine.submit(world.request());
    engine.submit(world.request({ actionId: second, kmod: 'tun' }));
    await until(() => progress.some((one) => one.phase === ActionPhase.ACTION_PHASE_STARTED));
    engine.cancel(world.request().actionId);
    engine.cancel(second);
    expect(await resultNo(1)).toMatchObject({ actionId: second, outcome: Outcome.OUTCOME_CANCELLED });
    await until(() => progress.some((one) => one.phase === ActionPhase.ACTION_PHASE_CANCEL_REFUSED));
    goOn();
    expect((await resultNo(2)).outcome).toBe(Outcome.OUTCOME_SUCCEEDED);
    expect(world.kernel.effects).toHaveLength(1);
  });

  it('asks the server for a confirm on behalf of the helper', async () => {
    const world = new HelperWorld();
    const { engine, until } = aCourier(world, { confirm: { kind: 'confirmed', from: '192.0.2.9:4711' } });
    let answer: ConfirmAnswer | undefined;
    world.prepare = (host) => {
      host.afterStep = async (_step, actionId) => {
        answer = await world.confirms.at(-1)?.confirm(actionId, 1_000, new AbortController().signal);
      };
    };
    engine.submit(world.request());
    await until(() => answer !== undefined);
    expect(answer).toEqual({ kind: 'confirmed', from: '192.0.2.9:4711' });
  });
});
