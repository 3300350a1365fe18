import { describe, expect, it } from 'vitest';
import { aliasMatches, beginningsOf } from './alias-match.ts';

describe('aliasMatches', () => {
  it.each([
    ['pci:v00008086d000010D3sv*sd*bc*sc*i*', 'pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00', true],
    ['pci:v00008086d000010D3sv*sd*bc*sc*i*', 'pci:v00008086d000010D4sv00008086sd0000A01Fbc02sc00i00', false],
    ['algif-aead', 'algif_aead', true],
    ['net-pf-38', 'net-pf-38', true],
    ['usb:v0[0-9A-F]*', 'usb:v0B12', true],
    ['usb:v0[0-9A-F]*', 'usb:v0Z12', false],
    ['usb:v0[!0-9]*', 'usb:v0Z12', true],
    ['fs-ext?', 'fs-ext4', true],
    ['a.c', 'abc', false],
    ['symbol:x(y', 'symbol:x(y', true],
    ['crypto-*', 'crypto-*', true],
  ])('%s against %s: %s', (pattern, text, expected) => {
    expect(aliasMatches(pattern, text)).toBe(expected);
  });

  it('gives every beginning of a text, folded', () => {
    expect(beginningsOf('a-b')).toEqual(['', 'a', 'a_', 'a_b']);
  });
});
