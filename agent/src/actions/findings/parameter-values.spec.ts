import { describe, expect, it } from 'vitest';
import { whyInvalid } from './parameter-values.ts';

describe('whyInvalid', () => {
  it.each([
    ['3', 'int'],
    ['-3', 'int'],
    ['0x10', 'uint'],
    ['010', 'int'],
    ['255', 'byte'],
    ['y', 'bool'],
    ['0', 'bool'],
    ['off', 'bool'],
    ['', 'bool'],
    ['1,2,3', 'array of int'],
    ['anything', 'charp'],
    ['anything', ''],
    ['anything', 'its_own_type'],
  ])('%j fits %s', (value, type) => {
    expect(whyInvalid(value, type)).toBeUndefined();
  });

  it.each([
    ['abc', 'int', 'EINVAL'],
    ['', 'int', 'EINVAL'],
    ['08', 'int', 'EINVAL'],
    ['1.5', 'int', 'EINVAL'],
    ['-1', 'uint', 'EINVAL'],
    ['256', 'byte', 'ERANGE'],
    ['99999999999', 'int', 'ERANGE'],
    ['maybe', 'bool', 'EINVAL'],
    ['1,,2', 'array of int', 'EINVAL'],
    ['1,x', 'array of int', 'EINVAL'],
  ])('%j does not fit %s (%s)', (value, type, errno) => {
    expect(whyInvalid(value, type)).toContain(errno);
  });
});
