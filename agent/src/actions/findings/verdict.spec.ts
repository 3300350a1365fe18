import { FINDING_CODES, Verb } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACT, aFile, aQuestion, loaded, someFacts } from '../testing/builders.ts';
import { type ActionFacts, type ActionPolicy, evidence, type Question, type Stake } from './facts.ts';
import { decide } from './verdict.ts';

const unload = aQuestion();
const load = aQuestion({ verb: Verb.VERB_LOAD });
const reload = aQuestion({ verb: Verb.VERB_RELOAD });
const idle = someFacts({ loaded: loaded() });

function decided(question: Question, facts: ActionFacts, policy: ActionPolicy = ACT): string {
  return decide(question, facts, policy, []).decidedBy;
}

function stake(kind: Stake['kind']): Stake {
  return { kind, message: `${kind} stands on it`, evidence: [evidence('path', '/sys/x')] };
}

describe('verdict on an unload', () => {
  it.each<[string, ActionFacts]>([
    ['ok', idle],
    ['unchanged', someFacts()],
    ['no_module_support', someFacts({ kernel: { noModules: 'no loadable kmods' } })],
    ['modules_disabled', someFacts({ loaded: loaded(), kernel: { modulesDisabled: true } })],
    ['builtin', someFacts({ tree: { builtin: true, file: undefined } })],
    ['not_found', someFacts({ tree: { file: undefined } })],
    ['release_files_missing', someFacts({ tree: { missing: '/lib/modules/6.1.0 does not exist', file: undefined } })],
    ['busy', someFacts({ loaded: loaded({ state: 'unloading', refcount: -1 }) })],
    ['busy', someFacts({ loaded: loaded({ state: 'loading', refcount: 1 }) })],
    ['held_by', someFacts({ loaded: loaded({ refcount: 2, users: ['tun', 'veth'] }) })],
    ['in_use', someFacts({ loaded: loaded({ refcount: 2 }) })],
    ['permanent', someFacts({ loaded: loaded({ permanent: true }) })],
    ['unload_unsupported', someFacts({ loaded: loaded({ refcount: undefined }), kernel: { canUnload: false } })],
    ['kernel_died', someFacts({ loaded: loaded(), kernel: { taint: 128 + 4096 } })],
    ['kernel_died', someFacts({ loaded: loaded(), died: 'an exit oopsed' })],
    ['kernel_died', someFacts({ loaded: loaded(), kernel: { taint: undefined } })],
    ['kernel_died', someFacts({ loaded: loaded(), kernel: { taint: NaN } })],
    ['modules_disabled', someFacts({ loaded: loaded(), kernel: { modulesDisabled: undefined } })],
    [
      'custom_command',
      someFacts({
        loaded: loaded(),
        obstacles: [{ kind: 'unreadable', kmod: 'dummy', where: 'x.conf cannot be read' }],
      }),
    ],
    ['protected', someFacts({ loaded: loaded(), stakes: [stake('storage')] })],
    ['protected', someFacts({ loaded: loaded(), stakes: [stake('route')] })],
    ['protected', someFacts({ loaded: loaded(), stakes: [stake('watchdog')] })],
    ['protected', someFacts({ loaded: loaded(), stakes: [stake('data')] })],
    ['needs_confirm_window', someFacts({ loaded: loaded(), stakes: [stake('interface')] })],
    [
      'custom_command',
      someFacts({
        loaded: loaded(),
        obstacles: [{ kind: 'custom', kmod: 'dummy', where: 'x.conf:1: remove dummy y' }],
      }),
    ],
    ['unsupported', someFacts({ loaded: loaded(), missingPrograms: ['rmmod'] })],
    ['unsupported', someFacts({ loaded: loaded(), kernel: { container: 'docker' } })],
    ['unsupported', someFacts({ loaded: loaded(), kernel: { mayChange: false } })],
  ])('%s', (code, facts) => {
    const verdict = decide(unload, facts, ACT, []);
    expect(verdict.decidedBy).toBe(code);
    expect(verdict.allowed).toBe(code === 'ok' || code === 'unchanged');
    expect(verdict.plan.map((step) => step.kind)).toEqual(code === 'ok' ? ['rmmod'] : []);
  });

  it('says what the host stands on before the reference count that follows from it, and keeps both', () => {
    const verdict = decide(unload, someFacts({ loaded: loaded({ refcount: 1 }), stakes: [stake('storage')] }), ACT, []);
    expect(verdict.findings.map((finding) => finding.code)).toEqual(['protected', 'in_use']);
  });

  it('names every holder', () => {
    const verdict = decide(unload, someFacts({ loaded: loaded({ refcount: 2, users: ['tun', 'veth'] }) }), ACT, []);
    expect(verdict.findings[0]?.evidence.filter((one) => one.kind === 'kmod').map((one) => one.value)).toEqual([
      'tun',
      'veth',
    ]);
  });

  it('says what could not be seen of the users', () => {
    const facts = someFacts({ loaded: loaded({ refcount: 1 }), unseen: ['sockets: not visible without ss'] });
    expect(decide(unload, facts, ACT, []).findings[0]?.evidence).toContainEqual(
      evidence('unseen', 'sockets: not visible without ss'),
    );
  });
});

describe('verdict on a load', () => {
  it.each<[string, ActionFacts, readonly string[]]>([
    ['ok', someFacts(), []],
    ['unchanged', idle, []],
    ['unchanged', someFacts({ tree: { builtin: true, file: undefined } }), []],
    ['builtin', someFacts({ tree: { builtin: true, file: undefined } }), ['a=1']],
    ['parameters_differ', someFacts({ loaded: loaded({ parameters: new Map([['a', '2']]) }) }), ['a=1']],
    ['unchanged', someFacts({ loaded: loaded({ parameters: new Map([['a', '1']]) }) }), ['a=0x1']],
    ['parameters_differ', someFacts({ loaded: loaded({ hiddenParameters: ['a'] }) }), ['a=1']],
    ['not_found', someFacts({ tree: { file: undefined } }), []],
    ['release_files_missing', someFacts({ tree: { file: aFile('dummy', { present: false }) } }), []],
    [
      'signature_required',
      someFacts({ kernel: { sigEnforce: true }, tree: { file: aFile('dummy', { signed: false }) } }),
      [],
    ],
    [
      'lockdown',
      someFacts({ kernel: { lockdown: 'integrity' }, tree: { file: aFile('dummy', { signed: false }) } }),
      [],
    ],
    ['ok', someFacts({ kernel: { lockdown: 'integrity' }, tree: { file: aFile('dummy', { signed: true }) } }), []],
    [
      'lockdown',
      someFacts({ kernel: { lockdown: 'integrity' }, tree: { dependencies: [aFile('dep', { signed: false })] } }),
      [],
    ],
    ['blocked', someFacts({ obstacles: [{ kind: 'block', kmod: 'dummy', where: 'x.conf:1' }] }), []],
    ['blocked', someFacts({ obstacles: [{ kind: 'kernel_blacklist', kmod: 'dummy', where: '/proc/cmdline' }] }), []],
    ['ok', someFacts({ obstacles: [{ kind: 'soft_blacklist', kmod: 'dummy', where: 'x.conf:1' }] }), []],
    ['custom_command', someFacts({ obstacles: [{ kind: 'custom', kmod: 'dep', where: 'x.conf:1' }] }), []],
    ['unsupported', someFacts({ tree: { file: aFile('dummy', { parameters: new Map([['a', 'int']]) }) } }), ['b=1']],
    [
      'ok',
      someFacts({ tree: { file: aFile('dummy', { parameters: new Map([['a', 'int']]) }) } }),
      ['a=1', 'dyndbg=+p'],
    ],
  ])('%s', (code, facts, parameters) => {
    expect(decided({ ...load, parameters }, facts)).toBe(code);
  });

  it('shows dependencies as steps, in the order in which they load', () => {
    const facts = someFacts({ tree: { dependencies: [aFile('first'), aFile('second')], softDependencies: ['soft'] } });
    const { plan } = decide({ ...load, parameters: ['a=1'] }, facts, ACT, []);
    expect(plan.map((step) => [step.kind, step.kmod, step.parameters])).toEqual([
      ['modprobe', 'first', []],
      ['modprobe', 'second', []],
      ['modprobe', 'dummy', ['a=1']],
    ]);
    expect(plan[2]?.because).toContain('soft');
  });

  it('hints at the kmod behind an alias', () => {
    const facts = someFacts({ tree: { file: undefined, aliasOf: ['crc32_pclmul'] } });
    expect(decide(load, facts, ACT, []).findings[0]?.message).toContain('alias of crc32_pclmul');
  });
});

describe('verdict on a reload', () => {
  it('unloads and loads', () => {
    expect(decide(reload, idle, ACT, []).plan.map((step) => step.kind)).toEqual(['rmmod', 'modprobe']);
  });

  it('only loads what is not loaded', () => {
    expect(decide(reload, someFacts(), ACT, []).plan.map((step) => step.kind)).toEqual(['modprobe']);
  });

  it.each<[string, ActionFacts]>([
    ['builtin', someFacts({ tree: { builtin: true, file: undefined } })],
    ['release_files_missing', someFacts({ loaded: loaded(), tree: { file: undefined } })],
    ['in_use', someFacts({ loaded: loaded({ refcount: 1 }) })],
    ['blocked', someFacts({ loaded: loaded(), obstacles: [{ kind: 'block', kmod: 'dummy', where: 'x.conf:1' }] })],
  ])('is refused as %s before anything is unloaded', (code, facts) => {
    expect(decided(reload, facts)).toBe(code);
  });

  it('shows the present values, which it does not keep', () => {
    const verdict = decide(reload, someFacts({ loaded: loaded({ parameters: new Map([['a', '7']]) }) }), ACT, []);
    expect(verdict.allowed).toBe(true);
    expect(verdict.findings[0]).toMatchObject({ code: 'parameters_differ', refuses: false });
  });
});

describe("the host's policy", () => {
  const observe: ActionPolicy = { ...ACT, mode: 'observe' };

  it('observe refuses everything but a dry run', () => {
    expect(decided(unload, idle, observe)).toBe('denied_by_host_policy');
    expect(decided(unload, someFacts(), observe)).toBe('denied_by_host_policy');
    const dry = decide({ ...unload, dryRun: true }, idle, observe, []);
    expect(dry).toMatchObject({ allowed: false, decidedBy: 'denied_by_host_policy' });
    expect(dry.findings.map((finding) => finding.code)).toEqual(['denied_by_host_policy']);
    expect(dry.plan).toHaveLength(1);
  });

  it('a dry run of an observing host says first what else stands against it, and is never allowed', () => {
    const dry = (facts: ActionFacts) => decide({ ...unload, dryRun: true }, facts, observe, []);
    const used = dry(someFacts({ loaded: loaded({ refcount: 2 }) }));
    expect(used).toMatchObject({ allowed: false, decidedBy: 'in_use', plan: [] });
    const already = dry(someFacts());
    expect(already).toMatchObject({ allowed: false, decidedBy: 'denied_by_host_policy', plan: [] });
    expect(already.findings.map((finding) => finding.code)).toContain('already');
  });

  it.each<[string, Partial<ActionPolicy>]>([
    ['denied_by_host_policy', { deny: ['dum*'] }],
    ['denied_by_host_policy', { allow: ['tun', 'e1000*'] }],
    ['denied_by_host_policy', { allow: ['dummy'], deny: ['dummy'] }],
    ['protected', { protected: ['d?mmy'] }],
    ['ok', { allow: ['dummy'], deny: ['dumm'], protected: ['mm'] }],
  ])('%s by %j', (code, changes) => {
    expect(decided(unload, idle, { ...ACT, ...changes })).toBe(code);
  });

  it('protects from unloading only', () => {
    expect(decided(load, someFacts(), { ...ACT, protected: ['dummy'] })).toBe('ok');
    expect(decided(reload, idle, { ...ACT, protected: ['dummy'] })).toBe('protected');
  });
});

describe('any verdict', () => {
  const anyLoaded = fc.option(
    fc.record({
      refcount: fc.integer({ min: -1, max: 3 }),
      permanent: fc.boolean(),
      state: fc.constantFrom('live' as const, 'loading' as const, 'unloading' as const),
    }),
    { nil: undefined },
  );

  it('is allowed exactly when nothing refuses or it is already so, has a plan only then, and is decided by its first finding', () => {
    fc.assert(
      fc.property(
        anyLoaded,
        fc.constantFrom(Verb.VERB_LOAD, Verb.VERB_UNLOAD, Verb.VERB_RELOAD),
        fc.record({
          taint: fc.constantFrom(0, 128),
          modulesDisabled: fc.boolean(),
          canUnload: fc.boolean(),
          mayChange: fc.boolean(),
        }),
        fc.constantFrom('act' as const, 'observe' as const),
        fc.subarray(['storage', 'route', 'data', 'interface'] as const),
        (present, verb, kernel, mode, stakes) => {
          const facts = someFacts({
            loaded: present === undefined ? undefined : loaded(present),
            kernel,
            stakes: stakes.map(stake),
          });
          const verdict = decide({ ...unload, verb }, facts, { ...ACT, mode }, []);
          const refusing = verdict.findings.filter((finding) => finding.refuses);
          if (verdict.plan.length > 0) expect(refusing).toEqual([]);
          if (!verdict.allowed) {
            expect(verdict.decidedBy).toBe(verdict.findings[0]?.code);
            const order = refusing.map((finding) => FINDING_CODES.findIndex((code) => code === finding.code));
            expect(order).toEqual([...order].sort((a, b) => a - b));
          }
          if (verdict.decidedBy === 'ok') expect(verdict.plan.length).toBeGreaterThan(0);
          if (mode === 'observe') expect(verdict.allowed).toBe(false);
        },
      ),
    );
  });
});

describe('confirm windows, as the host is set up', () => {
  const careful = { ...ACT, window: ['dum*'], window_limit: 120 };

  it('are asked for where the settings name the kmod, of a load too', () => {
    for (const question of [unload, load, reload]) {
      const facts = question === load ? someFacts() : idle;
      expect(decided(question, facts, careful)).toBe('needs_confirm_window');
      expect(decided({ ...question, confirmWindowSeconds: 60 }, facts, careful)).toBe('ok');
      expect(decided(question, facts, { ...careful, window: ['tun'] })).toBe('ok');
    }
    const [finding] = decide(unload, idle, careful, []).findings;
    expect(finding?.evidence).toEqual([{ kind: 'config', value: 'agent.yaml: policy.window: dum*' }]);
  });

  it('are not opened for longer than the settings say', () => {
    expect(decided({ ...unload, confirmWindowSeconds: 121 }, idle, careful)).toBe('denied_by_host_policy');
    expect(decided({ ...unload, confirmWindowSeconds: 120 }, idle, careful)).toBe('ok');
  });
});
