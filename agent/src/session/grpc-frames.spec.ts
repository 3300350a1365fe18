import { gunzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameError, FrameReader, frameOf } from './grpc-frames.ts';

describe('frames', () => {
  it('carry messages through any cuts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
        (messages, cuts) => {
          const wire = Buffer.concat(messages.map((message) => frameOf(message)));
          const reader = new FrameReader(1000);
          const read: Buffer[] = [];
          for (let at = 0, turn = 0; at < wire.length; turn += 1) {
            const next = at + (cuts[turn % cuts.length] ?? 1);
            read.push(...reader.push(wire.subarray(at, next)));
            at = next;
          }
          expect(read.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
        },
      ),
    );
  });

  it('pack what is long and gets shorter, and nothing else', () => {
    const long = Buffer.from('kmod '.repeat(1000));
    const frame = frameOf(long);
    expect(frame[0]).toBe(1);
    expect(frame.readUInt32BE(1)).toBe(frame.length - 5);
    expect(gunzipSync(frame.subarray(5)).equals(long)).toBe(true);
    expect(frameOf(Buffer.from('short'))[0]).toBe(0);
    expect(frameOf(randomBytes(4096))[0]).toBe(0);
  });

  it('that are packed or too long are refused', () => {
    expect(() => new FrameReader(10).push(Buffer.from([1, 0, 0, 0, 1, 0]))).toThrow(FrameError);
    expect(() => new FrameReader(10).push(Buffer.from([0, 0, 0, 0, 11]))).toThrow('allowed are 10');
  });
});
