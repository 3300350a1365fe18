import { describe, expect, it } from 'vitest';
import { AppError } from '../errors/app-error.ts';
import { BODY_DEPTH_LIMIT, parseJsonBody as parseBytes } from './json-body.ts';

const parseJsonBody = (text: string): unknown => parseBytes(Buffer.from(text));

const refusal = (text: string): string => {
  try {
    parseJsonBody(text);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'body_invalid' });
    return (error as AppError).message;
  }
  return expect.unreachable(`${text.slice(0, 40)} was taken`);
};

describe('parseJsonBody', () => {
  it('reads JSON, and an empty body as an empty object', () => {
    expect(parseJsonBody('{"a":[1,"{[{[",{"b":"\\"}"}]}')).toEqual({ a: [1, '{[{[', { b: '"}' }] });
    expect(parseJsonBody(' \n')).toEqual({});
  });

  it('takes JSON up to the depth limit and refuses what is deeper before parsing it', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJsonBody(nested(BODY_DEPTH_LIMIT))).toBeInstanceOf(Array);
    expect(refusal(nested(BODY_DEPTH_LIMIT + 1))).toContain('nested deeper');
    expect(refusal('['.repeat(500_000))).toContain('nested deeper');
  });

  it('refuses NUL characters, __proto__ and what is no JSON', () => {
    expect(refusal('{"a":"b\\u0000"}')).toContain('NUL');
    expect(refusal('{"a\\u0000":1}')).toContain('NUL');
    expect(refusal('{"__proto__":{"x":1}}')).toContain('__proto__');
    expect(refusal('{"a":1')).toContain('not JSON');
  });

  it('refuses a field given twice in one object, however it is written', () => {
    expect(refusal('{"host":"a","host":"b"}')).toContain('"host" twice');
    expect(refusal('{"host":"a","h\\u006fst":"b"}')).toContain('"host" twice');
    expect(refusal('[{"a":{"b":1,"c":{},"b":2}}]')).toContain('"b" twice');
    expect(parseJsonBody('[{"a":"a"},{"a":{"a":["a","a"]},"b":"\\":a"}]')).toBeInstanceOf(Array);
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parseBytes(Buffer.from([0x22, 0xff, 0x22]))).toThrow('not UTF-8');
  });
});
