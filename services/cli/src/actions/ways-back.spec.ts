import { describe, expect, it } from 'vitest';
import { unloaded } from '../testing/samples.ts';
import { actionHeadline } from './outcome.ts';
import { isReturnSeen, waysBack } from './ways-back.ts';

const UNKNOWN = { kind: 'unknown', value: 'modules.alias cannot be read (EIO)' };
const ALIAS = { kind: 'alias', value: 'pnp:dPNP0700*' };

function withPaths(...reloadPaths: { kind: string; value: string }[]) {
  const action = unloaded();
  return { ...action, result: action.result && { ...action.result, reloadPaths } };
}

describe('ways back', () => {
  it('are told apart from what could not be read', () => {
    expect(waysBack([ALIAS, UNKNOWN])).toEqual({ seen: [ALIAS], unknown: [UNKNOWN.value] });
    expect(isReturnSeen(withPaths(UNKNOWN, ALIAS))).toBe(true);
    expect(isReturnSeen(withPaths(UNKNOWN))).toBe(false);
  });

  it('are never denied where they are not known', () => {
    expect(actionHeadline(withPaths(ALIAS, UNKNOWN))).toBe('Unloaded, can return: floppy on web-1');
    expect(actionHeadline(withPaths(UNKNOWN))).toBe('Unloaded: floppy on web-1. Whether it can return is not known');
  });
});
