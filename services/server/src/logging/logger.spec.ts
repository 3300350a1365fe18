import { describe, expect, it } from 'vitest';
import { withoutSecrets } from './logger.ts';

describe('withoutSecrets', () => {
  it('cuts tokens and passwords wherever they stand', () => {
    const token = `mfl_${'a'.repeat(43)}`;
    const join = `mfj_${'B'.repeat(43)}.${'c'.repeat(43)}`;
    const line = withoutSecrets(`Bearer ${token}, join ${join}, at postgresql://modfleet:hunter2@db:5432/modfleet`);
    expect(line).toBe('Bearer mf…, join mf…, at postgresql://modfleet:…@db:5432/modfleet');
  });

  it('leaves the shown prefix of a token alone', () => {
    expect(withoutSecrets('revoked mfl_abcdefgh…')).toBe('revoked mfl_abcdefgh…');
  });
});
