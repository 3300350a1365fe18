import { describe, expect, it } from 'vitest';
import { inScope, isWithin, parseGrantSelector } from './host-scope.ts';

describe('parseGrantSelector', () => {
  it.each(['@kernel~6.1.*', 'env=staging,@name=web-1', '@loaded=floppy'])('takes no facts: %s', (text) => {
    expect(() => parseGrantSelector(text)).toThrow(/narrowed by labels alone/);
  });
  it('points at the fact', () => {
    expect(() => parseGrantSelector('env=staging,@name=web-1')).toThrow(expect.objectContaining({ offset: 12 }));
  });
});

describe('inScope', () => {
  it.each([
    ['env=staging', { env: 'staging' }, true],
    ['env=staging', { env: 'prod' }, false],
    ['env=staging', {}, false],
    ['env!=prod', {}, true],
    ['env notin (prod,dr)', { env: 'dr' }, false],
    ['gpu', { gpu: '' }, true],
    ['!gpu', { gpu: '' }, false],
    ['!gpu', {}, true],
    ['env=staging,team=a', { env: 'staging' }, false],
    // Not what every object has.
    ['constructor', {}, false],
    ['!toString', {}, true],
  ])('%s over %j is %s', (selector, labels, expected) => {
    expect(inScope([parseGrantSelector(selector)], labels)).toBe(expected);
  });
  it('is any of several, none of none, all of all', () => {
    const two = [parseGrantSelector('env=staging'), parseGrantSelector('team=a')];
    expect(inScope(two, { team: 'a' })).toBe(true);
    expect(inScope([], { team: 'a' })).toBe(false);
    expect(inScope('all', {})).toBe(true);
  });
});

describe('isWithin', () => {
  const parsed = (text: string | null) => (text === null ? null : parseGrantSelector(text));
  it.each([
    ['env=staging', null, true],
    [null, null, true],
    [null, 'env=staging', false],
    ['env=staging', 'env=staging', true],
    ['team=a,env=staging', 'env=staging', true],
    ['env=staging', 'team=a,env=staging', false],
    ['env in (b,a)', 'env in (a,b)', true],
    ['env=prod', 'env=staging', false],
    // True, and not seen: errs on the side of no.
    ['env=staging', 'env in (staging,prod)', false],
  ])('%s within %s: %s', (narrow, wide, expected) => {
    expect(isWithin(parsed(narrow), parsed(wide))).toBe(expected);
  });
});
