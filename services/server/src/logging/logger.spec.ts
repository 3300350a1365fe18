import { describe, expect, it } from 'vitest';
import { createLogger, visible, withoutSecrets } from './logger.ts';

describe('a log line', () => {
  it('shows what would reorder or hide it, and is JSON all the same', () => {
    const name = 'web\u202e1\u009b\u200b';
    const lines: string[] = [];
    createLogger('info', { write: (line) => void lines.push(line) }).info({ host: name }, `${name} joined`);
    expect(lines.join('')).toContain(String.raw`web\u202e1\u009b\u200b joined`);
    expect(lines.join('')).not.toMatch(/[\u007f-\u009f\p{Cf}]/u);
    expect(JSON.parse(lines.join(''))).toMatchObject({ host: name, msg: `${name} joined` });
    expect(visible('Gerät №4 ラック')).toBe('Gerät №4 ラック');
  });
});

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
