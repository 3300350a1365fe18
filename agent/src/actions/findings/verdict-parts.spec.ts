import { type FindingCode, Verb } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACT, aFile, aQuestion, loaded, someFacts } from '../testing/builders.ts';
import { withDrift } from './drift-finding.ts';
import { type ActionFacts, evidence, type Persistence, type Question } from './facts.ts';
import { decideAll, type Part } from './verdict.ts';

const PATH = '/etc/modules-load.d/modfleet-dummy.conf';

function listed(state: Persistence['state'], detail = ''): Partial<ActionFacts> {
  return { persistence: { path: PATH, state, detail } };
}

function part(verb: Question['verb'], facts: ActionFacts, changes: Partial<Question> = {}): Part {
  return { question: aQuestion({ verb, ...changes }), facts, reloadPaths: [] };
}

const load = (facts: ActionFacts): Part => part(Verb.VERB_LOAD, facts);
const unload = (facts: ActionFacts): Part => part(Verb.VERB_UNLOAD, facts);
const steps = (verdict: ReturnType<typeof decideAll>): string[] =>
  verdict.plan.map((step) => [step.kind, step.kmod, ...step.parameters].join(' '));

const absent = someFacts();
const there = someFacts({ loaded: loaded() });

describe('ensure_loaded', () => {
  it.each<[string, Part[], string[]]>([
    ['ok', [load(absent), part('persist', someFacts(listed('absent')))], ['modprobe dummy', 'persist dummy']],
    ['ok', [load(there), part('persist', someFacts(listed('absent')))], ['persist dummy']],
    ['ok', [load(absent), part('persist', someFacts(listed('ours')))], ['modprobe dummy']],
    ['unchanged', [load(there), part('persist', someFacts(listed('ours')))], []],
    ['persistence_foreign', [load(absent), part('persist', someFacts(listed('foreign', 'x')))], []],
    ['persistence_foreign', [load(there), part('persist', someFacts(listed('unreadable', 'EIO')))], []],
    ['unsupported', [load(absent), part('persist', someFacts(listed('no_folder')))], []],
  ])('%s', (decidedBy, parts, plan) => {
    const verdict = decideAll(parts, ACT);
    expect([verdict.decidedBy, steps(verdict)]).toEqual([decidedBy, plan]);
  });

  it('of what is built in needs no file', () => {
    const builtin = { builtin: true, file: undefined };
    const parts = [
      load(someFacts({ tree: builtin })),
      part('persist', someFacts({ tree: builtin, ...listed('absent') })),
    ];
    expect(decideAll(parts, ACT).decidedBy).toBe('unchanged');
  });

  it('says all that is so already in one finding, and shows the first line of what is foreign', () => {
    const verdict = decideAll([load(there), part('persist', someFacts(listed('ours')))], ACT);
    expect(verdict.findings).toHaveLength(1);
    expect(verdict.findings[0]?.message).toBe(`dummy is loaded; ${PATH} loads dummy at boot`);
    const foreign = decideAll([part('persist', someFacts(listed('foreign', '# mine')))], ACT).findings[0];
    expect(foreign?.evidence).toEqual([evidence('path', PATH), evidence('config', `${PATH}:1: # mine`)]);
  });
});

describe('ensure_unloaded', () => {
  it.each<[string, Part[], string[]]>([
    ['ok', [part('unpersist', someFacts(listed('ours'))), unload(there)], ['unpersist dummy', 'rmmod dummy']],
    ['ok', [part('unpersist', someFacts(listed('absent'))), unload(there)], ['rmmod dummy']],
    ['ok', [part('unpersist', someFacts(listed('ours'))), unload(absent)], ['unpersist dummy']],
    ['unchanged', [part('unpersist', someFacts(listed('no_folder'))), unload(absent)], []],
    ['persistence_foreign', [part('unpersist', someFacts(listed('foreign', 'x'))), unload(there)], []],
    [
      'in_use',
      [part('unpersist', someFacts(listed('ours'))), unload(someFacts({ loaded: loaded({ refcount: 1 }) }))],
      [],
    ],
  ])('%s', (decidedBy, parts, plan) => {
    const verdict = decideAll(parts, ACT);
    expect([verdict.decidedBy, steps(verdict)]).toEqual([decidedBy, plan]);
  });

  it('says where the confirm window stands among the steps', () => {
    const inWindow = { confirmWindowSeconds: 60 };
    const parts = [part(Verb.VERB_UNLOAD, there, inWindow), part('unpersist', someFacts(listed('ours')), inWindow)];
    expect(decideAll(parts, ACT).plan.map((step) => step.because)).toEqual([
      expect.stringContaining('must confirm within 60 s'),
      expect.stringContaining('only after the server has confirmed'),
    ]);
  });
});

describe('set_parameters', () => {
  const runtime = new Map([
    ['a', { value: '1', writable: true }],
    ['flag', { value: 'N', writable: true }],
    ['fixed', { value: '1', writable: false }],
    ['hidden', { value: undefined, writable: true }],
    ['name', { value: '(null)', writable: true }],
  ]);
  const types = new Map([
    ['a', 'int'],
    ['flag', 'bool'],
  ]);
  const set = (parameters: string[], facts: ActionFacts = at()): Part =>
    part(Verb.VERB_SET_PARAMETERS, facts, { parameters });
  const at = (changes: Parameters<typeof someFacts>[0] = {}): ActionFacts =>
    someFacts({
      loaded: loaded(),
      runtimeParameters: runtime,
      tree: { file: aFile('dummy', { parameters: types }) },
      ...changes,
    });

  it.each<[string, Part, string[]]>([
    ['ok', set(['a=2', 'flag=1']), ['set_parameters dummy a=2 flag=1']],
    ['ok', set(['a=1', 'flag=1']), ['set_parameters dummy flag=1']],
    [
      'ok',
      set(['a=2'], at({ loaded: undefined, tree: { builtin: true, file: undefined } })),
      ['set_parameters dummy a=2'],
    ],
    ['unchanged', set(['a=0x1', 'flag=0']), []],
    ['not_found', set(['a=2', 'nothing=1']), []],
    ['not_found', set(['a=2'], at({ loaded: undefined })), []],
    ['not_found', set(['a=2'], at({ loaded: undefined, tree: { file: undefined } })), []],
    [
      'release_files_missing',
      set(['a=2'], at({ loaded: undefined, tree: { missing: 'no tree', file: undefined } })),
      [],
    ],
    ['parameter_not_writable', set(['a=2', 'fixed=2']), []],
    ['parameter_not_writable', set(['hidden=2']), []],
    ['parameter_not_writable', set(['name=eth0']), []],
    ['parameter_invalid', set(['a=two']), []],
    ['parameter_invalid', set(['a=']), []],
    ['busy', set(['a=2'], at({ loaded: loaded({ state: 'loading' }) })), []],
    ['kernel_died', set(['a=2'], at({ kernel: { taint: 128 } })), []],
  ])('%s', (decidedBy, one, plan) => {
    const verdict = decideAll([one], ACT);
    expect([verdict.decidedBy, steps(verdict)]).toEqual([decidedBy, plan]);
  });

  it('is the host’s policy’s, too', () => {
    expect(decideAll([set(['a=2'])], { ...ACT, deny: ['dummy'] }).decidedBy).toBe('denied_by_host_policy');
    expect(decideAll([set(['a=2'])], { ...ACT, window: ['dummy'] }).decidedBy).toBe('needs_confirm_window');
  });
});

describe('an action of several questions', () => {
  it('is refused whole where one is refused, by the first code of all, and shows what else is said', () => {
    const held = someFacts({ loaded: loaded({ refcount: 1, users: ['tun'] }) });
    const stakes = [{ kind: 'storage' as const, message: 'it carries /', evidence: [] }];
    const verdict = decideAll([unload(held), load(absent), unload(someFacts({ loaded: loaded(), stakes }))], ACT);
    expect(verdict).toMatchObject({ allowed: false, decidedBy: 'protected', plan: [] });
    expect(verdict.findings.map((finding) => finding.code)).toEqual(['protected', 'held_by']);
  });

  it('leaves out what is so already', () => {
    expect(steps(decideAll([unload(absent), load(absent)], ACT))).toEqual(['modprobe dummy']);
  });

  it('of a dry run on a host that only observes has its plan, and is not allowed', () => {
    const dry = { dryRun: true };
    const parts = [part(Verb.VERB_LOAD, absent, dry), part('persist', someFacts(listed('absent')), dry)];
    const verdict = decideAll(parts, { ...ACT, mode: 'observe' });
    expect(verdict).toMatchObject({ allowed: false, decidedBy: 'denied_by_host_policy' });
    expect(steps(verdict)).toEqual(['modprobe dummy', 'persist dummy']);
  });

  it('is allowed with a plan exactly where none refuses and one has something to do', () => {
    const anyPart: fc.Arbitrary<Part> = fc.oneof(
      fc.constantFrom(load(absent), load(there), unload(absent), unload(there)),
      fc.constantFrom(
        unload(someFacts({ loaded: loaded({ refcount: 1 }) })),
        load(someFacts({ tree: { file: undefined } })),
      ),
      fc
        .tuple(
          fc.constantFrom('persist' as const, 'unpersist' as const),
          fc.constantFrom('absent' as const, 'ours' as const, 'foreign' as const),
        )
        .map(([verb, state]) => part(verb, someFacts(listed(state)))),
    );
    fc.assert(
      fc.property(fc.array(anyPart, { minLength: 1, maxLength: 6 }), (parts) => {
        const whole = decideAll(parts, ACT);
        const each = parts.map((one) => decideAll([one], ACT));
        expect(whole.allowed).toBe(each.every((one) => one.allowed));
        expect(steps(whole)).toEqual(whole.allowed ? each.flatMap(steps) : []);
        expect(whole.decidedBy === 'unchanged').toBe(each.every((one) => one.decidedBy === 'unchanged'));
        if (!whole.allowed) expect(whole.findings[0]?.code).toBe(whole.decidedBy);
        if (whole.plan.length > 0) expect(whole.findings.some((finding) => finding.refuses)).toBe(false);
        expect(whole.digest).toHaveLength(32);
      }),
    );
  });
});

describe('a plan that was approved', () => {
  const verdict = decideAll([load(absent)], ACT);
  const other = Buffer.alloc(32, 1);

  it('runs as long as it is the same', () => {
    expect(withDrift({ approvedPlans: [other, Buffer.from(verdict.digest)] }, verdict)).toBe(verdict);
    expect(withDrift({ approvedPlans: [] }, verdict)).toBe(verdict);
  });

  it('refuses another one, with the steps and the digest of what the host would do', () => {
    const drifted = withDrift({ approvedPlans: [other] }, verdict);
    expect(drifted).toMatchObject({ allowed: false, decidedBy: 'drifted', plan: [], digest: verdict.digest });
    expect(drifted.findings[0]?.evidence).toEqual([evidence('step', 'modprobe dummy')]);
  });

  it.each<[FindingCode | 'unchanged', Part]>([
    ['unchanged', load(there)],
    ['not_found', load(someFacts({ tree: { file: undefined } }))],
  ])('does not matter where it is %s', (code, one) => {
    expect(withDrift({ approvedPlans: [other] }, decideAll([one], ACT)).decidedBy).toBe(code);
  });

  it('is another one where something loads along', () => {
    const soft = decideAll([load(someFacts({ tree: { softDependencies: ['soft'] } }))], ACT);
    expect(soft.digest).not.toEqual(verdict.digest);
  });
});
