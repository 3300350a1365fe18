import type { Duplex } from 'node:stream';
import { type ActionRequest, CourierFrame } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HelperWorld, HOST_ID } from './testing/helper-world.ts';
import { complaintAboutExpiry, complaintAboutRequest } from './verify/request-grammar.ts';
import { FrameReader, frameOf, MAX_COURIER_FRAME, MAX_HELPER_FRAME } from './wire/frames.ts';
import { HELPER_PROTOCOL } from './wire/protocol.ts';
import {
  type CourierWord,
  decodeCourierWord,
  decodeHelperWord,
  encodeCourierWord,
  type HelperWord,
} from './wire/strict-codec.ts';

/** Says all of it, reads to the end, and gives the answers. */
async function say(world: HelperWorld, chunks: readonly Uint8Array[]): Promise<HelperWord[]> {
  const end: Duplex = world.connect('act');
  const reader = new FrameReader(MAX_HELPER_FRAME);
  const words: HelperWord[] = [];
  end.on('data', (bytes: Buffer) => words.push(...reader.push(bytes).map(decodeHelperWord)));
  for (const chunk of chunks) end.write(chunk);
  end.end();
  await world.helpers.at(-1)?.done;
  await new Promise((resolve) => setImmediate(resolve));
  return words;
}

const opening = (world: HelperWorld): CourierWord => ({
  $case: 'open',
  value: {
    protocol: HELPER_PROTOCOL,
    hostId: HOST_ID,
    time: { serverTimeMs: world.clock.ms, errorMs: 5, boottimeMs: world.clock.ms },
    way: undefined,
  },
});

/** Whether a helper may take this for a request: what the properties below measure effects against. */
function isRequest(world: HelperWorld, payload: Uint8Array): boolean {
  try {
    const word = decodeCourierWord(payload);
    return (
      word.$case === 'submit' &&
      complaintAboutRequest(word.value) === undefined &&
      complaintAboutExpiry(word.value, world.clock.ms) === undefined
    );
  } catch {
    return false;
  }
}

const kinds = (words: readonly HelperWord[]): string[] => words.map((word) => word.$case);

/** A seed that fails is printed by fast-check. */
const RUNS = { numRuns: 300 } as const;

describe('the helper, fed with anything', () => {
  it('answers random bytes with a refusal, and touches nothing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 600 }), { maxLength: 4 }), async (chunks) => {
        const world = new HelperWorld();
        const words = await say(world, chunks);
        expect(kinds(words)).toEqual(chunks.length === 0 ? [] : ['refused']);
        expect(world.kernel.effects).toEqual([]);
      }),
      RUNS,
    );
  });

  it('takes a frame whose bytes were changed for what it is, or refuses it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (changes, inOpen) => {
          const world = new HelperWorld();
          const frames = [
            encodeCourierWord(opening(world)),
            encodeCourierWord({ $case: 'submit', value: world.request() }),
          ];
          const changed = frames[inOpen ? 0 : 1] ?? Buffer.alloc(0);
          for (const [at, byte] of changes) changed[at % changed.length] = byte;
          const words = await say(world, frames);
          expect(words.length).toBeGreaterThan(0);
          if (world.kernel.effects.length > 0) {
            expect(world.kernel.effects).toHaveLength(1);
            expect(frames.some((frame) => isRequest(world, frame.subarray(4)))).toBe(true);
          }
        },
      ),
      RUNS,
    );
  });

  it('answers any values of fields, and acts on none that is not well formed', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.constantFrom('', '-r', '../x', 'a b', 'x=1'),
    );
    const request: fc.Arbitrary<Partial<ActionRequest>> = fc.record(
      {
        actionId: text,
        hostId: text,
        verb: fc.integer({ min: -2, max: 9 }) as fc.Arbitrary<ActionRequest['verb']>,
        kmod: text,
        parameters: fc.array(text, { maxLength: 80 }),
        expiresAtMs: fc.maxSafeNat(),
        confirmWindowSeconds: fc.nat(10_000),
        overrides: fc.array(text, { maxLength: 4 }),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(request, async (fields) => {
        const world = new HelperWorld();
        const asked = world.request(fields);
        const payload = CourierFrame.encode({ message: { $case: 'submit', value: asked } }).finish();
        const words = await say(world, [encodeCourierWord(opening(world)), frameOf(payload)]);
        expect(kinds(words).some((kind) => ['result', 'rejected', 'refused'].includes(kind))).toBe(true);
        if (!isRequest(world, payload)) expect(world.kernel.effects).toEqual([]);
      }),
      RUNS,
    );
  });

  it('refuses a frame that is longer than any, before it is there', async () => {
    const world = new HelperWorld();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(MAX_COURIER_FRAME + 1, 0);
    expect(await say(world, [header])).toMatchObject([{ $case: 'refused', value: { code: 'bad_frame' } }]);
  });

  it('refuses a frame with fields that it does not know, and one with a field twice', async () => {
    const world = new HelperWorld();
    const open = encodeCourierWord(opening(world));
    const known = CourierFrame.encode({ message: { $case: 'submit', value: world.request() } }).finish();
    for (const payload of [Buffer.concat([known, Buffer.from([0xf8, 0x07, 0x01])]), Buffer.concat([known, known])]) {
      expect(kinds(await say(world, [open, frameOf(payload)]))).toContain('refused');
    }
    expect(world.kernel.effects).toEqual([]);
  });

  it('does nothing before it was opened, nor for another host', async () => {
    const world = new HelperWorld();
    const submit = encodeCourierWord({ $case: 'submit', value: world.request() });
    expect(kinds(await say(world, [submit]))).toEqual(['refused']);
    world.hostId = '00000000-0000-4000-8000-0000000000ff';
    const words = await say(world, [encodeCourierWord(opening(world)), submit]);
    expect(words).toMatchObject([{ $case: 'refused', value: { code: 'wrong_host' } }]);
    expect(world.kernel.effects).toEqual([]);
  });

  it('only looks where it is the one that only looks', async () => {
    const world = new HelperWorld();
    const end = world.connect('evidence');
    const reader = new FrameReader(MAX_HELPER_FRAME);
    const words: HelperWord[] = [];
    end.on('data', (bytes: Buffer) => words.push(...reader.push(bytes).map(decodeHelperWord)));
    end.write(encodeCourierWord(opening(world)));
    end.write(encodeCourierWord({ $case: 'submit', value: world.request() }));
    end.end();
    await world.helpers.at(-1)?.done;
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds(words)).toContain('rejected');
    expect(world.kernel.effects).toEqual([]);
  });
});
