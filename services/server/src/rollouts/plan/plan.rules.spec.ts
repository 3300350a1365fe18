import fc from 'fast-check';
import { ALL_OUTCOME_WORDS, planDigest } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import type { StoredVerdict } from '../../actions/action.model.ts';
import type { DryRunEnd, Judged, PlanHost, PlanQuestion } from './plan.model.ts';
import {
  answerSeconds,
  classDigest,
  evidenceOf,
  type HashedTarget,
  hardwareOf,
  isRetried,
  judge,
  judgeUnasked,
  planHash,
  setAside,
} from './plan.rules.ts';

const UNTIL = new Date('2026-01-01T00:00:30Z');
const step = { kind: 'rmmod', kmod: 'floppy', parameters: ['a=1', 'b=2'], because: 'asked for' };
const OK: StoredVerdict = { allowed: true, decidedBy: 'ok', findings: [], plan: [step], reloadPaths: [] };
const inUse: StoredVerdict['findings'][number] = {
  layer: 'kernel',
  code: 'in_use',
  refuses: true,
  message: 'in use by 2',
  evidence: [{ kind: 'mount', value: '/mnt' }],
};
const IN_USE: StoredVerdict = { ...OK, allowed: false, decidedBy: 'in_use', findings: [inUse], plan: [] };
const end = (outcome: string, change: Partial<DryRunEnd> = {}): DryRunEnd => ({
  outcome,
  verdict: OK,
  reasonCode: '',
  message: 'so it says',
  ...change,
});

describe('judging a dry run', () => {
  it.each<[string, StoredVerdict | null, Judged]>([
    ['succeeded', OK, { standing: 'would_change', code: '', message: 'so it says' }],
    [
      'unchanged',
      { ...OK, findings: [{ ...inUse, code: 'already', refuses: false, message: 'not loaded' }], plan: [] },
      { standing: 'unchanged', code: 'already', message: 'not loaded' },
    ],
    ['unchanged', null, { standing: 'unchanged', code: '', message: 'so it says' }],
    ['refused', IN_USE, { standing: 'refused', code: 'in_use', message: 'in use by 2' }],
  ])('%s: as its verdict says', (outcome, verdict, judged) => {
    expect(judge(end(outcome, { verdict }), UNTIL)).toEqual(judged);
  });

  it('refused without a verdict: as its reason says, or without one', () => {
    expect(judge(end('refused', { verdict: null, reasonCode: 'id_conflict' }), UNTIL).code).toBe('id_conflict');
    expect(judge(end('refused', { verdict: null }), UNTIL)).toMatchObject({ standing: 'refused', code: 'refused' });
  });

  it('would be done and nobody knows what: unknown', () => {
    expect(judge(end('succeeded', { verdict: null }), UNTIL)).toMatchObject({
      standing: 'unknown',
      code: 'no_verdict',
    });
  });

  it.each(ALL_OUTCOME_WORDS.filter((word) => !['succeeded', 'unchanged', 'refused'].includes(word)))(
    '%s: unknown, never fine',
    (outcome) => {
      const code = outcome === 'expired' ? 'no_answer' : outcome;
      expect(judge(end(outcome), UNTIL)).toMatchObject({ standing: 'unknown', code });
    },
  );

  it('that has not ended: unknown', () => {
    const message = 'No answer by 2026-01-01 00:00:30 UTC.';
    expect(judge(undefined, UNTIL)).toEqual({ standing: 'unknown', code: 'no_answer', message });
  });

  it('gives evidence of what decided, and of nothing else', () => {
    expect(evidenceOf(IN_USE, judge(end('refused', { verdict: IN_USE }), UNTIL))).toEqual(inUse.evidence);
    expect(evidenceOf(IN_USE, { standing: 'unknown', code: 'in_use' })).toEqual([]);
    expect(evidenceOf(null, { standing: 'refused', code: 'in_use' })).toEqual([]);
    expect(['in_use', 'busy', 'builtin'].map(isRetried)).toEqual([true, true, false]);
  });
});

describe('the time for answers', () => {
  it('is half a minute, and longer for many hosts', () => {
    expect([1, 3_000, 3_001, 10_000, 50_000].map(answerSeconds)).toEqual([30, 30, 31, 100, 500]);
  });
});

describe('judging a host before it is asked', () => {
  const host: PlanHost = {
    id: 'a',
    name: 'web-1',
    labels: {},
    kernelRelease: '6.1.0',
    virtualization: '',
    retired: false,
    revoked: false,
    quarantineReason: null,
    live: true,
    seenAt: new Date('2026-01-01T00:00:00Z'),
  };
  it.each([
    [{}, true, undefined],
    [{}, false, { standing: 'refused', code: 'forbidden' }],
    [{ revoked: true }, true, { standing: 'refused', code: 'host_revoked' }],
    [{ quarantineReason: 'clone' }, true, { standing: 'refused', code: 'host_quarantined' }],
    [{ quarantineReason: '', live: false }, true, { standing: 'refused', code: 'host_quarantined' }],
    [
      { live: false },
      true,
      { standing: 'unknown', code: 'silent', message: 'Not connected; last seen 2026-01-01 00:00:00 UTC.' },
    ],
    [{ live: false, seenAt: null }, true, { standing: 'unknown', code: 'silent', message: 'It never connected.' }],
    [{ live: false }, false, { standing: 'refused', code: 'forbidden' }],
  ] as const)('%j, mayAct %s', (change, mayAct, expected) => {
    const judged = judgeUnasked({ ...host, ...change }, mayAct);
    if (expected === undefined) expect(judged).toBeUndefined();
    else expect(judged).toMatchObject(expected);
  });

  it('tells the kind of machine as far as it is told', () => {
    expect(['', 'kvm', 'docker'].map(hardwareOf)).toEqual(['', 'vm kvm', 'container docker']);
  });
});

describe('the class of a plan', () => {
  const other = (change: Partial<typeof step>): StoredVerdict => ({ ...OK, plan: [{ ...step, ...change }] });
  it('of an older agent is that of equal steps in equal order, whatever their reasons', () => {
    const digest = classDigest(OK);
    expect(digest).toBe(Buffer.from(planDigest({ plan: OK.plan, findings: [] })).toString('hex'));
    expect(classDigest(other({ because: 'dependency of x' }))).toBe(digest);
    expect(classDigest({ ...OK, findings: [inUse] })).toBe(digest);
    expect(classDigest({ ...OK, findings: [{ ...inUse, code: 'protected', refuses: false }] })).not.toBe(digest);
    for (const change of [{ kind: 'modprobe' }, { kmod: 'x' }, { parameters: ['b=2', 'a=1'] }])
      expect(classDigest(other(change))).not.toBe(digest);
  });

  it('is what the host tells, where it tells one', () => {
    expect(classDigest({ ...OK, digest: 'ab' })).toBe('ab');
    expect(classDigest({ ...OK, digest: null })).toBe(classDigest(OK));
    expect(classDigest(null)).toBe(Buffer.from(planDigest({ plan: [], findings: [] })).toString('hex'));
  });

  it('has the overrides that stand in the way of the host, and no others', () => {
    const aside = { ...inUse, code: 'protected', refuses: false };
    expect(setAside({ ...OK, findings: [aside] }, ['route'])).toEqual(['route']);
    expect(setAside({ ...OK, findings: [{ ...aside, refuses: true }] }, ['route'])).toEqual([]);
    expect(setAside(OK, ['route'])).toEqual([]);
  });
});

describe('the hash of a plan', () => {
  const question: PlanQuestion = {
    verb: 'unload',
    kmod: 'floppy',
    parameters: [],
    confirmWindowSeconds: 0,
    overrides: [],
    selector: 'env=prod',
  };
  const targets = fc.uniqueArray(
    fc.record<HashedTarget>({
      hostId: fc.uuid(),
      standing: fc.constantFrom('would_change', 'unchanged', 'refused', 'unknown'),
      digest: fc.option(fc.constantFrom('aa', 'bb')),
    }),
    { selector: ({ hostId }) => hostId, minLength: 1 },
  );
  const hex = (asked: PlanQuestion, of: readonly HashedTarget[]): string => planHash(asked, of).toString('hex');

  it('does not depend on the order of targets, and changes with each of them', () => {
    fc.assert(
      fc.property(targets, fc.nat(), (some, which) => {
        const hash = hex(question, some);
        expect(hex(question, some.toReversed())).toBe(hash);
        const changed = some.map((target, at) => (at === which % some.length ? { ...target, digest: 'cc' } : target));
        expect(hex(question, changed)).not.toBe(hash);
        expect(hex(question, some.slice(1))).not.toBe(hash);
      }),
    );
  });

  it.each([
    { verb: 'reload' },
    { kmod: 'x' },
    { parameters: ['a=1'] },
    { confirmWindowSeconds: 60 },
    { overrides: ['route'] },
    { selector: null },
  ] as const)('changes with %j', (change) => {
    const some: HashedTarget[] = [{ hostId: 'a', standing: 'refused', digest: null }];
    expect(hex({ ...question, ...change }, some)).not.toBe(hex(question, some));
  });
});
