import { expect, it } from 'vitest';
import { LineSplitter } from './line-splitter.ts';

it('gives whole lines, however they arrive', () => {
  const splitter = new LineSplitter();
  expect(splitter.push('one\ntw')).toEqual(['one']);
  expect(splitter.push('o\r\n\nthr')).toEqual(['two', '']);
  expect(splitter.push('')).toEqual([]);
  expect(splitter.push('ee\n')).toEqual(['three']);
});

it('holds no more than the longest line that counts', () => {
  const splitter = new LineSplitter();
  for (let piece = 0; piece < 4; piece += 1) expect(splitter.push('x'.repeat(60_000))).toEqual([]);
  expect(splitter.push('\n')[0]).toHaveLength(64 * 1024);
});
