import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KMOD_NAME_MAX_BYTES, KmodNameError, canonicalKmodName } from './kmod-name.ts';

describe('canonicalKmodName', () => {
  it('is idempotent, and both spellings are one name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_-]{0,54}$/), (name) => {
        const canonical = canonicalKmodName(name);
        expect(canonicalKmodName(canonical)).toBe(canonical);
        expect(canonical).not.toContain('-');
        if (!canonical.startsWith('_')) expect(canonicalKmodName(canonical.replaceAll('_', '-'))).toBe(canonical);
      }),
    );
  });

  it('keeps case', () => {
    expect(canonicalKmodName('xt_LOG')).toBe('xt_LOG');
  });

  it.each([
    ['', 'empty'],
    ['-r', 'option'],
    ['a/b', '"/"'],
    ['../x', '"."'],
    ['a b', '" "'],
    ['a\nb', '"\\n"'],
    ['a\0b', '"\\u0000"'],
    ['a;reboot', '";"'],
    ['flоppy', 'о'],
    ['x'.repeat(KMOD_NAME_MAX_BYTES + 1), 'at most 55'],
  ])('refuses %j, saying why', (input, why) => {
    expect(() => canonicalKmodName(input)).toThrow(KmodNameError);
    expect(() => canonicalKmodName(input)).toThrow(why);
  });
});
