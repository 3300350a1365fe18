import { describe, expect, it } from 'vitest';
import { openSecret, sealSecret } from './sealed-secret.ts';

describe('sealed secret', () => {
  it('opens under the same token and key only', () => {
    const sealed = sealSecret('mfj_secret.pin', 'mfl_token', 'key-1');
    expect(sealed).not.toContain('mfj_');
    expect(openSecret(sealed, 'mfl_token', 'key-1')).toBe('mfj_secret.pin');
    expect(() => openSecret(sealed, 'mfl_other', 'key-1')).toThrow(/unable to authenticate/);
    expect(() => openSecret(sealed, 'mfl_token', 'key-2')).toThrow(/unable to authenticate/);
    const changed = `${sealed.startsWith('A') ? 'B' : 'A'}${sealed.slice(1)}`;
    expect(() => openSecret(changed, 'mfl_token', 'key-1')).toThrow(/unable to authenticate/);
  });
});
