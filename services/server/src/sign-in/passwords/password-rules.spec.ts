import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passwordProblem } from './password-rules.ts';

describe('what a password may be', () => {
  it.each([
    'correct horse battery',
    'Tr0ub4dor&3-and-more',
    'quietlyMovingBoats',
    'пароль из четырёх слов',
    '7719 2048 6635 1190',
    'summer in Oslo was brief',
    '🦊🐢🐙🦉🐝🦋🐌🐞🦀🐍🦎🐋kj',
  ])('takes %j', (password) => {
    expect(passwordProblem(password, 'kim')).toBeUndefined();
  });

  it.each([
    ['short', 'has 5 characters, and needs 12'],
    ['🦊🐢🐙🦉🐝', 'has 5 characters, and needs 12'],
    ['aaaaaaaaaaaaaaaa', 'fewer than 5 different'],
    ['abcdeabcdeabcde'.slice(0, 4).repeat(4), 'fewer than 5'],
    ['password1234', 'everybody tries'],
    ['Password2026!!!', 'everybody tries'],
    ['P@ssw0rd1234!', 'everybody tries'],
    ['qwertyuiop123', 'everybody tries'],
    ['Welcome-Admin-2026', 'everybody tries'],
    ['modfleet-modfleet', 'everybody tries'],
    ['abcdefghijklm', 'everybody tries'],
    ['123456789012', 'row of digits'],
    ['zyxwvutsrqpo', 'everybody tries'],
    ['kim.larsen-2026', 'name of the account'],
    ['KIM.LARSEN2026x', 'name of the account'],
    ['letters\u0007and bell', 'control characters'],
    [`${'ab'.repeat(600)}xyz`, 'longer than 1024 bytes'],
  ])('refuses %j', (password, why) => {
    expect(passwordProblem(password, 'kim.larsen')).toContain(why);
  });

  it('refuses no random one', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 33, max: 126 }), { minLength: 20, maxLength: 40 }), (codes) => {
        const text = String.fromCharCode(...codes);
        fc.pre(new Set(text.toLowerCase().replaceAll(/[^a-z]/g, '')).size >= 6);
        expect(passwordProblem(text, 'kim') ?? '').not.toContain('digits');
        expect(passwordProblem(text, 'kim') ?? '').not.toContain('repeated');
      }),
    );
  });

  it('never says the password', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 30, unit: 'grapheme-ascii' }), (text) => {
        fc.pre(/[A-Z0-9]/.test(text));
        expect(passwordProblem(text, 'kim') ?? '').not.toContain(text);
      }),
    );
  });
});
