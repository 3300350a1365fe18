import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FACTS, type Requirement, SelectorError } from './selector.ast.ts';
import { formatSelector } from './selector.format.ts';
import { parseSelector } from './selector.parser.ts';

const word = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9])?$/);
const kmod = fc.stringMatching(/^[A-Za-z0-9_]{1,55}$/);
const singleFact = fc.constantFrom('name' as const, 'kernel' as const, 'os' as const, 'arch' as const, 'mode' as const);
const multiFact = fc.constantFrom('loaded' as const, 'driver' as const);
const set = fc.constantFrom('in' as const, 'notin' as const);
const some = (one: fc.Arbitrary<string>) => fc.array(one, { minLength: 1, maxLength: 4 });
const glob = fc.stringMatching(/^[a-z0-9.*?_]{1,20}$/);

const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({ kind: fc.constant('label' as const), key: word, operator: set, values: some(word) }),
  fc.record({ kind: fc.constant('label_exists' as const), key: word, exists: fc.boolean() }),
  fc.record({ kind: fc.constant('fact_set' as const), fact: singleFact, operator: set, values: some(word) }),
  fc.record({ kind: fc.constant('fact_set' as const), fact: multiFact, operator: set, values: some(kmod) }),
  fc.record({
    kind: fc.constant('fact_glob' as const),
    fact: fc.oneof(singleFact, multiFact),
    operator: fc.constantFrom('~' as const, '!~' as const),
    glob,
  }),
  fc.record({
    kind: fc.constant('fact_order' as const),
    fact: fc.constant('kernel' as const),
    operator: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
    version: word,
  }),
);

describe('parseSelector', () => {
  it('reads back whatever formatSelector writes', () => {
    fc.assert(
      fc.property(fc.array(requirement, { minLength: 1, maxLength: 5 }), (selector) => {
        // A label named "in" or "notin" is legal and stays a label.
        expect(parseSelector(formatSelector(selector))).toEqual(selector);
      }),
    );
  });

  it('answers any text with a selector, or with an error at one of its characters', () => {
    const hostile = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.string({ unit: fc.constantFrom(...'@=!~<>(),a.-1 in*"\0é'), maxLength: 40 }),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        try {
          expect(parseSelector(text).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(SelectorError);
          const { offset } = error as SelectorError;
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reads the example of the design', () => {
    expect(
      parseSelector('env=prod,role notin (db,cache),@kernel~6.1.*,@kernel<6.1.0-51,@loaded=floppy,@driver=e1000e'),
    ).toEqual([
      { kind: 'label', key: 'env', operator: 'in', values: ['prod'] },
      { kind: 'label', key: 'role', operator: 'notin', values: ['db', 'cache'] },
      { kind: 'fact_glob', fact: 'kernel', operator: '~', glob: '6.1.*' },
      { kind: 'fact_order', fact: 'kernel', operator: '<', version: '6.1.0-51' },
      { kind: 'fact_set', fact: 'loaded', operator: 'in', values: ['floppy'] },
      { kind: 'fact_set', fact: 'driver', operator: 'in', values: ['e1000e'] },
    ]);
  });

  it('folds "-" and "_" of kmods and drivers into one name, and leaves labels alone', () => {
    expect(parseSelector('@loaded=snd-hda-intel,@driver=snd-hda-intel,@loaded~snd-*,team=snd-hda')).toEqual([
      { kind: 'fact_set', fact: 'loaded', operator: 'in', values: ['snd_hda_intel'] },
      { kind: 'fact_set', fact: 'driver', operator: 'in', values: ['snd_hda_intel'] },
      { kind: 'fact_glob', fact: 'loaded', operator: '~', glob: 'snd_*' },
      { kind: 'label', key: 'team', operator: 'in', values: ['snd-hda'] },
    ]);
  });

  it.each([
    ['', 0, 'empty selector'],
    ['   ', 0, 'empty selector'],
    ['env=prod,', 9, 'expected a label'],
    ['env=prod,,a', 9, 'expected a label'],
    ['env=prod role', 9, 'expected ","'],
    ['env==', 5, '"env=" is for a label that is empty, "!env" for one that is not there'],
    ['env== ,a', 6, 'compares with nothing'],
    ['env=pr$d', 6, 'expected ","'],
    ['env<3', 3, 'facts begin with "@"'],
    ['@kernel<', 8, 'expected a value'],
    ['@kernle=6.1', 1, 'no fact @kernle'],
    ['@os<12', 3, 'only @kernel is'],
    ['@kernel=6.1.*', 12, 'compare with ~'],
    ['role in db', 8, 'expected "("'],
    ['role in (db', 11, 'expected "," or ")"'],
    ['@loaded=-r', 8, 'looks like an option'],
    ['a=b\0', 3, 'expected ","'],
    ['env=prod,rоle=x', 10, 'expected =, !=, in'],
  ])('points at the character of %j', (text, offset, message) => {
    try {
      parseSelector(text);
      expect.unreachable('should not parse');
    } catch (error) {
      expect(error).toBeInstanceOf(SelectorError);
      expect(error).toMatchObject({ offset });
      expect((error as Error).message).toContain(message);
    }
  });

  it('bounds what one selector may ask', () => {
    expect(() => parseSelector(Array.from({ length: 33 }, (_, index) => `l${index}`).join(','))).toThrow('at most 32');
    expect(() => parseSelector(`a in (${Array.from({ length: 257 }, () => 'x').join(',')})`)).toThrow('at most 256');
  });

  it('names every fact in the error for an unknown one', () => {
    for (const fact of Object.keys(FACTS)) expect(() => parseSelector('@nope=1')).toThrow(`@${fact}`);
  });
});
