import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, forget, returnable, type CaEvent, type CaStep } from './ca-set.machine.ts';
import { type CaRecord, type CaSet, caSetSchema, issuingCa, pinnedCa, trustedCas } from './ca-set.ts';

const NOW = new Date('2026-11-29T12:00:00Z');

function ca(number: number, vouchedBy?: CaRecord): CaRecord {
  const id = number.toString(16).padStart(64, '0');
  const file = `ca-${id.slice(-16)}.key`;
  return {
    id,
    certificate: Buffer.from(id).toString('base64'),
    key: { kind: 'own', file },
    vouchedBy: vouchedBy === undefined ? null : { id: vouchedBy.id, certificate: 'AAAA' },
    since: NOW.toISOString(),
  };
}

const first: CaSet = {
  format: 1,
  generation: 1,
  phase: 'single',
  changedAt: NOW.toISOString(),
  current: ca(1),
  next: null,
  former: [],
};

function go(set: CaSet, ...steps: CaStep[]): CaSet {
  let at = set;
  for (const step of steps) {
    const event: CaEvent = step === 'begin' ? { step, next: ca(at.generation + 1, at.current) } : { step };
    const decision = advance(at, event, NOW);
    if (decision.kind === 'refused') throw new Error(decision.reason);
    at = decision.set;
  }
  return at;
}
const reason = (set: CaSet, step: CaStep): string => {
  const decision = advance(set, step === 'begin' ? { step, next: ca(99) } : { step }, NOW);
  return decision.kind === 'refused' ? decision.reason : 'taken';
};

describe('the rotation of the CA', () => {
  it('goes through its phases: who is trusted, who issues, what join strings pin', () => {
    const seen = (set: CaSet) => ({
      trusted: trustedCas(set).map((each) => Number(`0x${each.id}`)),
      issues: Number(`0x${issuingCa(set).id}`),
      pinned: Number(`0x${pinnedCa(set).id}`),
    });
    expect(seen(first)).toEqual({ trusted: [1], issues: 1, pinned: 1 });
    const begun = go(first, 'begin');
    expect(seen(begun)).toEqual({ trusted: [1, 2], issues: 1, pinned: 1 });
    const issuing = go(begun, 'issue');
    expect(seen(issuing)).toEqual({ trusted: [2, 1], issues: 2, pinned: 1 });
    const done = go(issuing, 'finish');
    expect(seen(done)).toEqual({ trusted: [2], issues: 2, pinned: 2 });
    expect(done.former).toMatchObject([{ id: ca(1).id, why: 'replaced' }]);
  });

  it('refuses a step out of turn, and says which one it is', () => {
    expect(reason(first, 'issue')).toContain('rotate begin');
    expect(reason(first, 'finish')).toContain('rotate begin');
    expect(reason(first, 'back')).toContain('never rotated');
    const begun = go(first, 'begin');
    expect(reason(begun, 'begin')).toContain('under way');
    expect(reason(begun, 'finish')).toContain('rotate issue');
    const issuing = go(begun, 'issue');
    expect(reason(issuing, 'issue')).toContain('rotate finish');
    expect(reason(issuing, 'begin')).toContain('under way');
  });

  it('takes each step back', () => {
    const same = (one: CaSet, other: CaSet): void =>
      expect([one.phase, one.current.id, one.next?.id]).toEqual([other.phase, other.current.id, other.next?.id]);
    const begun = go(first, 'begin');
    const issuing = go(begun, 'issue');
    const done = go(issuing, 'finish');
    same(go(done, 'back'), issuing);
    same(go(issuing, 'back'), begun);
    same(go(begun, 'back'), first);
    expect(advance(begun, { step: 'back' }, NOW)).toMatchObject({ erase: [{ id: begun.next?.id }] });
    expect(go(done, 'back').former).toEqual([]);
  });

  it('comes to an end that nobody takes back once the key is forgotten', () => {
    const done = go(first, 'begin', 'issue', 'finish');
    const forgotten = forget(done);
    if (forgotten.kind === 'refused') throw new Error(forgotten.reason);
    expect(forgotten).toMatchObject({
      erase: [{ id: ca(1).id }],
      set: { generation: done.generation, phase: 'single' },
    });
    expect(returnable(forgotten.set)).toBeUndefined();
    expect(reason(forgotten.set, 'back')).toContain('was erased');
    expect(forget(forgotten.set)).toMatchObject({ kind: 'refused' });
    expect(forget(go(done, 'begin'))).toMatchObject({ kind: 'refused' });
  });

  it('forgets the keys of all former CAs, whatever was replaced or given up since', () => {
    const kept = (set: CaSet): string[] => set.former.filter(({ key }) => key !== null).map(({ id }) => id);
    const twice = go(first, 'begin', 'issue', 'finish', 'begin', 'issue', 'finish');
    const around = go(first, 'begin', 'issue', 'finish', 'begin', 'back');
    for (const set of [twice, around]) {
      const forgotten = forget(set);
      if (forgotten.kind === 'refused') throw new Error(forgotten.reason);
      expect(forgotten.erase.map(({ id }) => id)).toEqual(kept(set));
      expect(kept(forgotten.set)).toEqual([]);
      expect(forget(forgotten.set)).toMatchObject({ kind: 'refused' });
    }
    let many = first;
    for (let round = 0; round < 20; round += 1) {
      const decision = advance(go(many, 'begin', 'issue'), { step: 'finish' }, NOW);
      if (decision.kind === 'refused') throw new Error(decision.reason);
      expect(decision.erase).toHaveLength(round < 16 ? 0 : 1);
      many = decision.set;
    }
  });

  it('holds, whatever is tried: one or two CAs, a generation that grows, no step that the next phase would not get along with', () => {
    const step = fc.constantFrom<CaStep>('begin', 'issue', 'finish', 'back');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let at = first;
        let number = 1;
        for (const name of steps) {
          const event: CaEvent =
            name === 'begin' ? { step: name, next: ca((number += 1), at.current) } : { step: name };
          const decision = advance(at, event, NOW);
          if (decision.kind === 'refused') continue;
          const { set } = decision;
          expect(caSetSchema.safeParse(set).success).toBe(true);
          expect(set.generation).toBeGreaterThan(at.generation);
          // Those who have taken the step and those who have not: each trusts what the other issues.
          expect(trustedCas(at).map((each) => each.id)).toContain(issuingCa(set).id);
          expect(trustedCas(set).map((each) => each.id)).toContain(issuingCa(at).id);
          const ids = [...trustedCas(set), ...set.former].map((each) => each.id);
          expect(new Set(ids).size).toBe(ids.length);
          at = set;
        }
      }),
      { numRuns: 500 },
    );
  });
});
