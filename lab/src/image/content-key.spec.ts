import { describe, expect, it } from 'vitest';
import { contentKey } from './content-key.ts';

describe('contentKey', () => {
  it('is the same for the same inputs and differs for any other', () => {
    expect(contentKey(['kernel', 'a'])).toBe(contentKey(['kernel', 'a']));
    expect(contentKey(['kernel', 'a'])).not.toBe(contentKey(['kernel', 'b']));
    expect(contentKey(['kernel', 'a'])).toMatch(/^[0-9a-f]{12}$/);
  });

  it('knows where one input ends', () => {
    expect(contentKey(['ab', 'c'])).not.toBe(contentKey(['a', 'bc']));
    expect(contentKey(['ab'])).not.toBe(contentKey(['ab', '']));
  });
});
