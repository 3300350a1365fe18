import { expect, it } from 'vitest';
import { createLog } from './log.ts';

function linesOf(use: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  use(createLog('info', (line) => lines.push(line)));
  return lines.map((line) => {
    expect(line.endsWith('\n')).toBe(true);
    return JSON.parse(line) as Record<string, unknown>;
  });
}

it('a line is JSON with level, time, fields and message; what is below the level is left out', () => {
  const lines = linesOf((log) => {
    log.debug('not this');
    log.info('plain');
    log.warn({ retryInMs: 5 }, 'with fields');
  });
  expect(lines).toMatchObject([
    { level: 30, msg: 'plain' },
    { level: 40, retryInMs: 5, msg: 'with fields' },
  ]);
  expect(Number.isNaN(Date.parse(String(lines[0]?.['time'])))).toBe(false);
});

it('an error is told with its cause and stack', () => {
  const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  const [line] = linesOf((log) => log.error({ err: new TypeError('bad', { cause }) }, 'it failed'));
  expect(line).toMatchObject({
    err: {
      type: 'TypeError',
      message: 'bad',
      stack: expect.stringContaining('log.spec') as string,
      cause: { message: 'no space', code: 'ENOSPC' },
    },
    msg: 'it failed',
  });
});
