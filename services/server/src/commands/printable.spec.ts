import { expect, it } from 'vitest';
import { printable } from './printable.ts';

it('shows what would write elsewhere on the screen, and leaves lines and tabs', () => {
  expect(printable('a\u001b[31mb\tc\n\u202ed\u2066e\u009bf\u200eg é 日')).toBe(
    'a\\x1b[31mb\tc\n\\u202ed\\u2066e\\x9bf\\u200eg é 日',
  );
});
