import { type ActionRequest, type ActionResult, Outcome, planDigest, type PlanStep, Verb } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KmodActionEngine } from './engine.ts';
import { MemoryJournal } from './journal/memory-journal.ts';
import { aRequest } from './testing/builders.ts';
import { QuietLog, SimulatedClock, SimulatedHost, SimulatedKernel } from './testing/simulated-host.ts';

const EXPIRES = 100_000;

function aStep(kind: string, kmod: string): PlanStep {
  return { kind, kmod, parameters: [], because: '' };
}

/** Few ids and kmods, so that frames repeat and collide. */
const requests: readonly ActionRequest[] = [
  aRequest({ actionId: 'a', kmod: 'x', verb: Verb.VERB_LOAD, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'a', kmod: 'y', verb: Verb.VERB_LOAD, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'b', kmod: 'x', verb: Verb.VERB_UNLOAD, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'c', kmod: 'x', verb: Verb.VERB_RELOAD, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'd', kmod: 'y', verb: Verb.VERB_RELOAD, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'e', kmod: 'y', verb: Verb.VERB_LOAD, dryRun: true, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'f', kmod: 'x', verb: Verb.VERB_ENSURE_LOADED, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'g', kmod: 'x', verb: Verb.VERB_ENSURE_UNLOADED, expiresAtMs: EXPIRES }),
  aRequest({ actionId: 'h', kmod: 'y', verb: Verb.VERB_SET_PARAMETERS, parameters: ['p=1'], expiresAtMs: EXPIRES }),
  aRequest({
    actionId: 'i',
    kmod: 'x',
    verb: Verb.VERB_RESTORE,
    undo: [
      { kind: 'unload', kmod: 'x', parameters: [] },
      { kind: 'load', kmod: 'x', parameters: [] },
      { kind: 'persist', kmod: 'x', parameters: [] },
      { kind: 'set_parameters', kmod: 'y', parameters: ['p=0'] },
    ],
    expiresAtMs: EXPIRES,
  }),
  aRequest({
    actionId: 'j',
    kmod: 'x',
    verb: Verb.VERB_ENSURE_LOADED,
    approvedPlans: [planDigest({ plan: [aStep('persist', 'x')], findings: [] })].map((one) => Buffer.from(one)),
    expiresAtMs: EXPIRES,
  }),
];

type Op =
  | { readonly op: 'submit'; readonly request: number }
  | { readonly op: 'cancel'; readonly request: number }
  | { readonly op: 'acknowledge' }
  /** The agent is killed before or after the effect of the next step that it begins (or now, if it begins none), and started again. */
  | { readonly op: 'crash'; readonly when: 'before' | 'after' }
  | { readonly op: 'reboot' }
  | { readonly op: 'time'; readonly ms: number }
  | { readonly op: 'settle' };

const ops: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('submit' as const), request: fc.nat(requests.length - 1) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('cancel' as const), request: fc.nat(requests.length - 1) }) },
  { weight: 2, arbitrary: fc.constant({ op: 'acknowledge' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('crash' as const),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'reboot' as const }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 60_000 }) }) },
  { weight: 3, arbitrary: fc.constant({ op: 'settle' as const }) },
);

/** A machine over the lives of its agents. */
class World {
  readonly kernel = new SimulatedKernel();
  readonly journal = new MemoryJournal();
  readonly clock = new SimulatedClock();
  readonly results: ActionResult[] = [];
  readonly faults: string[] = [];
  #engine!: KmodActionEngine;
  #alive = { value: true };

  async startAgent(): Promise<void> {
    const alive = { value: true };
    this.#alive = alive;
    const host = new SimulatedHost(this.kernel);
    const journal = this.journal;
    host.beforeStep = (step, id) => {
      if (!alive.value) return new Promise(() => undefined);
      if (!journal.text.includes(`${id} {"kind":"intent"`)) this.faults.push(`${step.kind} of ${id} without an intent`);
      const known = this.clock.server.now();
      // What was unloaded is loaded again whatever the clock says.
      const finishing = step.kind === 'modprobe' && this.kernel.effects.includes(`${id} rmmod ${step.kmod}`);
      if (!finishing && (known === undefined || known.ms > EXPIRES))
        this.faults.push(`${step.kind} of ${id} begun past its expiry`);
      if (this.#dieBefore) return this.#die();
      return undefined;
    };
    host.afterStep = () => (!alive.value || this.#dieAfter ? this.#die() : undefined);
    const engine = new KmodActionEngine({
      host,
      // A dead process writes no more.
      journal: {
        place: journal.place,
        open: () => journal.open(),
        append: (record) => (alive.value ? journal.append(record) : new Promise(() => undefined)),
        rewrite: (records) => (alive.value ? journal.rewrite(records) : new Promise(() => undefined)),
        close: () => journal.close(),
      },
      clock: this.clock.boot,
      serverClock: this.clock.server,
      log: new QuietLog(),
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    });
    engine.onResult((result) => {
      if (alive.value) this.results.push(result);
    });
    this.#engine = engine;
    await engine.start();
  }

  #dieBefore = false;
  #dieAfter = false;

  #die(): Promise<never> {
    this.#alive.value = false;
    return new Promise(() => undefined);
  }

  async apply(op: Op): Promise<void> {
    const request = 'request' in op ? requests[op.request] : undefined;
    switch (op.op) {
      case 'submit':
        if (request !== undefined) this.#engine.submit(request);
        return;
      case 'cancel':
        if (request !== undefined) this.#engine.cancel(request.actionId);
        return;
      case 'acknowledge':
        return this.#engine.acknowledge(this.#engine.unacknowledged().map((result) => result.actionId));
      case 'crash':
        this.#dieBefore = op.when === 'before';
        this.#dieAfter = op.when === 'after';
        await this.settle();
        this.#alive.value = false;
        this.#dieBefore = this.#dieAfter = false;
        return this.startAgent();
      case 'reboot':
        this.#alive.value = false;
        this.kernel.bootId += '+';
        this.kernel.loaded.clear();
        return this.startAgent();
      case 'time':
        this.clock.ms += op.ms;
        return;
      case 'settle':
        return this.settle();
    }
  }

  /** Everything that can happen without time passing has happened. */
  async settle(): Promise<void> {
    for (let round = 0; round < 40; round++) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

describe('action engine, over any order of frames, crashes and clock steps', () => {
  it('has at most one effect per id and step, none without an intent or past expiry, and one outcome per id and digest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ops, { maxLength: 25 }), async (sequence) => {
        const world = new World();
        await world.startAgent();
        for (const op of sequence) await world.apply(op);
        await world.settle();
        expect(world.faults).toEqual([]);
        const repeated = world.kernel.effects.filter((effect, index) => world.kernel.effects.indexOf(effect) !== index);
        // The load half of a reload may be run again only when a crash hid that it was done, and then nothing was loaded.
        expect(repeated.filter((effect) => !/^[cdi] modprobe/.test(effect))).toEqual([]);
        for (const result of world.results) {
          if (result.reasonCode === 'id_conflict') continue;
          // Approved for a plan that only writes the file: it has loaded nothing.
          if (result.actionId === 'j') expect(world.kernel.effects).not.toContain('j modprobe x');
          const others = world.results.filter(
            (one) => one.actionId === result.actionId && one.reasonCode !== 'id_conflict',
          );
          expect(others.map((one) => one.outcome)).toEqual(others.map(() => result.outcome));
          if (
            result.outcome === Outcome.OUTCOME_CANCELLED ||
            result.outcome === Outcome.OUTCOME_EXPIRED ||
            result.dryRun
          ) {
            expect(world.kernel.effects.filter((effect) => effect.startsWith(`${result.actionId} `))).toEqual([]);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
