import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isUnavailable } from './database.errors.ts';

const failure = (fields: object, cause?: unknown): Error => Object.assign(new Error('failed', { cause }), fields);

describe('isUnavailable', () => {
  it.each([
    { code: 'ECONNREFUSED', syscall: 'connect' },
    { code: 'ENOENT', syscall: 'connect' },
    { code: 'ECONNRESET', syscall: 'read' },
    { code: 'ENOTFOUND', syscall: 'getaddrinfo' },
    { code: 'ECONNREFUSED' },
    { code: '57P01' },
  ])('is true of %j, also as a cause', (fields) => {
    expect(isUnavailable(failure(fields))).toBe(true);
    expect(isUnavailable(failure({}, failure(fields)))).toBe(true);
  });

  it('is false of a file that cannot be read, also as a cause', () => {
    let missing: unknown;
    try {
      readFileSync('/none');
    } catch (error) {
      missing = error;
    }
    expect(isUnavailable(missing)).toBe(false);
    expect(isUnavailable(failure({}, missing))).toBe(false);
    expect(isUnavailable(failure({ code: 'ETIMEDOUT', syscall: 'open' }))).toBe(false);
  });
});
