import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { openBox, sealBox } from './sealed-box.ts';

const key = randomBytes(32);

it('opens under its key and context only, and as long as nothing of it was changed', () => {
  const context = Buffer.from('an account');
  const box = sealBox(key, 'a secret', context);
  expect(box.toString('latin1')).not.toContain('a secret');
  expect(openBox(key, box, context)).toBe('a secret');
  expect(() => openBox(randomBytes(32), box, context)).toThrow(/unable to authenticate/);
  expect(() => openBox(key, box, Buffer.from('another'))).toThrow(/unable to authenticate/);
  for (const at of [0, 12, 28, box.length - 1]) {
    const changed = Buffer.from(box);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => openBox(key, changed, context)).toThrow(/unable to authenticate/);
  }
  expect(() => openBox(key, box.subarray(0, 20), context)).toThrow('too short');
});
