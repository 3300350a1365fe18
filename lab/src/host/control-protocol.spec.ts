import { describe, expect, it } from 'vitest';
import { parseControlLine, requestLine } from './control-protocol.ts';

const encoded = (text: string): string => Buffer.from(text).toString('base64');

describe('parseControlLine', () => {
  it('reads an answer with empty parts', () => {
    expect(parseControlLine(`DONE 7 3 - ${encoded('no such file\n')}`)).toEqual({
      type: 'done',
      id: 7,
      code: 3,
      stdout: '',
      stderr: 'no such file\n',
    });
  });

  it('reads the line that a booted host begins with', () => {
    const bootId = '0b4b3c52-44d4-4a2e-9c0d-3c8b6a3f0a11';
    expect(parseControlLine(`READY ${bootId}\r`)).toEqual({ type: 'ready', bootId });
  });

  it('reads that a command was got', () => {
    expect(parseControlLine('GOT 12')).toEqual({ type: 'got', id: 12 });
  });

  it.each([
    '',
    'READY',
    'GOT',
    'GOT x',
    'READY maybe',
    'DONE 7 3 -',
    'DONE x 0 - -',
    'DONE 7 -1 - -',
    'SeaBIOS (version 1.16)',
  ])('takes %j for noise', (line) => {
    expect(parseControlLine(line).type).toBe('noise');
  });
});

describe('requestLine', () => {
  it('is one line whatever the command holds', () => {
    const line = requestLine(1, { verb: 'RUN', what: 'echo "a\nb"\n' });
    expect(line).toMatch(/^RUN 1 \d+ [A-Za-z0-9+/=]+\n$/);
    expect(Buffer.from(line.split(' ')[3] ?? '', 'base64').toString()).toBe('echo "a\nb"\n');
  });
});
