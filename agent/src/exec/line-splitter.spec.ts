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

it('parts at NUL where that ends a line, and keeps every other byte', () => {
  const splitter = new LineSplitter('\0');
  expect(splitter.push('add@/module/x\0A=1\r\0B=2\n3')).toEqual(['add@/module/x', 'A=1\r']);
  expect(splitter.push('\0')).toEqual(['B=2\n3']);
});
