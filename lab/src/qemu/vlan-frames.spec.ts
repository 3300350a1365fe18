import { describe, expect, it } from 'vitest';
import { framed, FrameReader, withoutTag, withTag } from './vlan-frames.ts';

const frame = Buffer.concat([Buffer.alloc(12, 0xaa), Buffer.from([0x08, 0x00]), Buffer.from('payload')]);

describe('tags', () => {
  it('come off as they went on', () => {
    const tagged = withTag(frame, 9);
    expect(tagged.subarray(12, 16).toString('hex')).toBe('81000009');
    expect(withoutTag(tagged, 9)).toEqual(frame);
  });

  it('of another VLAN, and no tag at all, do not pass', () => {
    expect(withoutTag(withTag(frame, 10), 9)).toBeUndefined();
    expect(withoutTag(frame, 9)).toBeUndefined();
    expect(withoutTag(Buffer.alloc(3), 9)).toBeUndefined();
  });
});

describe('FrameReader', () => {
  it('finds the frames however the stream was cut', () => {
    const stream = Buffer.concat([framed(frame), framed(Buffer.from('second')), framed(Buffer.alloc(0))]);
    for (const cut of [1, 3, 4, 7, stream.length]) {
      const reader = new FrameReader();
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += cut)
        found.push(...reader.add(stream.subarray(at, at + cut)).map((one) => one.toString('hex')));
      expect(found).toEqual([frame, Buffer.from('second'), Buffer.alloc(0)].map((one) => one.toString('hex')));
    }
  });
});
