import { describe, expect, it } from 'vitest';
import { passedSocket } from './passed-socket.ts';

const PASSED = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'other:uevents' };

describe('passedSocket', () => {
  it('finds a socket by its name', () => {
    expect(passedSocket('other', PASSED, 7)).toBe(3);
    expect(passedSocket('uevents', PASSED, 7)).toBe(4);
  });

  it.each([
    ['another name', 'missing', PASSED, 7],
    ['what another process was passed', 'uevents', PASSED, 8],
    ['a name past those that were passed', 'uevents', { ...PASSED, LISTEN_FDS: '1' }, 7],
    ['no socket at all', 'uevents', {}, 7],
  ])('finds nothing for %s', (_what, name, environment, pid) => {
    expect(passedSocket(name, environment, pid)).toBeUndefined();
  });
});
