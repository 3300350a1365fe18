import { describe, expect, it } from 'vitest';
import { startProblem } from './start-problem.ts';

const failure = (fields: object): Error => Object.assign(new Error('failed'), fields);

describe('startProblem', () => {
  it.each([
    [{ code: 'EADDRINUSE', port: 7780, address: '127.0.0.1' }, 'Port 7780 of 127.0.0.1 is in use'],
    [{ code: 'EACCES', port: 80 }, 'Only root may listen on port 80'],
    [{ code: 'EACCES', path: '/var/lib/x' }, 'may not write /var/lib/x'],
    [{ code: 'ENOSPC', path: '/var/lib/x/ca' }, 'The disk that holds /var/lib/x/ca is full'],
  ])('of %j', (fields, text) => {
    expect(startProblem(failure(fields))).toContain(text);
  });

  it('looks below what was made of it', () => {
    const listening = new Error('Cannot listen', { cause: failure({ code: 'EADDRINUSE', port: 7781 }) });
    expect(startProblem(listening)).toMatch(/Port 7781 .*MODFLEET_SESSION_LISTEN/);
  });

  it('knows nothing of other errors', () => {
    expect(startProblem(failure({ code: 'EBADF' }))).toBeUndefined();
    expect(startProblem('text')).toBeUndefined();
  });
});
