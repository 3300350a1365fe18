import { generateKeyPairSync } from 'node:crypto';
import { type ActionRequest, commandBytes, CourierFrame } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TestAuthority } from '../testing/test-authority.ts';
import { HelperWorld, HOST_ID } from './testing/helper-world.ts';
import { say } from './testing/say.ts';
import { complaintAboutExpiry, complaintAboutRequest } from './verify/request-grammar.ts';
import { FrameReader, frameOf, MAX_COURIER_FRAME, MAX_HELPER_FRAME } from './wire/frames.ts';
import { decodeCourierWord, decodeHelperWord, encodeCourierWord, type HelperWord } from './wire/strict-codec.ts';

/** Whether a helper may take this for a request: what the properties below measure effects against. */
function isRequest(world: HelperWorld, payload: Uint8Array): boolean {
  const request = requestIn(payload);
  return (
    request !== undefined &&
    complaintAboutRequest(request) === undefined &&
    complaintAboutExpiry(request, world.clock.ms) === undefined
  );
}

function requestIn(payload: Uint8Array): ActionRequest | undefined {
  try {
    const word = decodeCourierWord(payload);
    return word.$case === 'submit' ? word.value : undefined;
  } catch {
    return undefined;
  }
}

/** Somebody with a key of their own. */
const STRANGER = generateKeyPairSync('ed25519');
const CERTIFICATES = {
  /** By another CA of the same name. */
  strangers: await (await TestAuthority.create()).command(STRANGER.publicKey),
  /** By the true CA, for a host: a host's key cannot command. */
  hosts: await new HelperWorld().commands.ca.host(HOST_ID, STRANGER.publicKey.export({ type: 'spki', format: 'der' })),
};

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
            encodeCourierWord(world.opening()),
            encodeCourierWord({ $case: 'submit', value: world.request() }),
          ];
          const changed = frames[inOpen ? 0 : 1] ?? Buffer.alloc(0);
          for (const [at, byte] of changes) changed[at % changed.length] = byte;
          const words = await say(world, frames);
          expect(words.length).toBeGreaterThan(0);
          if (world.kernel.effects.length > 0) {
            expect(world.kernel.effects).toHaveLength(1);
            const taken = requestIn(frames[1]?.subarray(4) ?? Buffer.alloc(0));
            if (taken === undefined) throw new Error('an effect of something that is no request');
            // What runs is what was signed; only what is not signed may have been changed.
            expect(commandBytes(taken)).toEqual(commandBytes(world.request()));
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
        undo: fc.array(
          fc.record({
            kind: fc.oneof(text, fc.constantFrom('load', 'persist')),
            kmod: text,
            parameters: fc.array(text, { maxLength: 3 }),
          }),
          { maxLength: 3 },
        ),
        approvedPlans: fc.array(
          fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)),
          { maxLength: 3 },
        ),
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
        const words = await say(world, [encodeCourierWord(world.opening()), frameOf(payload)]);
        expect(kinds(words).some((kind) => ['result', 'rejected', 'refused'].includes(kind))).toBe(true);
        if (!isRequest(world, payload)) expect(world.kernel.effects).toEqual([]);
      }),
      RUNS,
    );
  });

  it('acts on nothing that the server has not signed, however well it is formed', async () => {
    const bytes = fc.uint8Array({ maxLength: 500 }).map((some) => Buffer.from(some));
    const changes: fc.Arbitrary<Partial<ActionRequest>> = fc.record(
      {
        actionId: fc.uuid(),
        hostId: fc.constantFrom(HOST_ID, '00000000-0000-4000-8000-0000000000ff'),
        verb: fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const, 7 as const),
        undo: fc.constantFrom([], [{ kind: 'load', kmod: 'dummy', parameters: ['a=1'] }]),
        approvedPlans: fc.constantFrom([], [Buffer.alloc(32, 1)]),
        kmod: fc.constantFrom('dummy', 'floppy'),
        parameters: fc.array(fc.constantFrom('a=1', 'b=2'), { maxLength: 2 }),
        expiresAtMs: fc.constantFrom(60_000, 61_000, 3_600_000),
        confirmWindowSeconds: fc.constantFrom(0, 30, 600),
        overrides: fc.constantFrom([], ['route']),
        epoch: fc.nat(4),
        sequence: fc.nat(20),
        notBeforeMs: fc.constantFrom(0, 1_000),
        signature: fc.oneof(
          bytes,
          fc.uint8Array({ minLength: 64, maxLength: 64 }).map((some) => Buffer.from(some)),
        ),
        commandCertificate: fc.oneof(bytes, fc.constantFrom(CERTIFICATES.strangers, CERTIFICATES.hosts)),
        sentBefore: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (changed, signedByStranger) => {
        const world = new HelperWorld();
        const signed = world.request();
        const { expiresAtMs = 0, notBeforeMs = 0, ...rest } = changed;
        const times = {
          expiresAtMs: signed.expiresAtMs - 60_000 + (expiresAtMs || 60_000),
          notBeforeMs: signed.notBeforeMs - notBeforeMs,
        };
        const forged = { ...signed, ...rest, ...times };
        const asked = signedByStranger
          ? {
              ...world.commands.signedBy(forged, STRANGER.privateKey, forged.commandCertificate),
              sentBefore: undefined,
            }
          : forged;
        await say(world, [encodeCourierWord(world.opening()), encodeCourierWord({ $case: 'submit', value: asked })]);
        const isTheSame =
          commandBytes(asked).equals(commandBytes(signed)) &&
          asked.signature.equals(signed.signature) &&
          asked.commandCertificate.equals(signed.commandCertificate);
        if (!isTheSame) expect(world.kernel.effects).toEqual([]);
        if (!isTheSame) expect(world.newest.newest).toBeUndefined();
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
    const open = encodeCourierWord(world.opening());
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
    const words = await say(world, [encodeCourierWord(world.opening()), submit]);
    expect(words).toMatchObject([{ $case: 'refused', value: { code: 'wrong_host' } }]);
    expect(world.kernel.effects).toEqual([]);
  });

  it('only looks where it is the one that only looks', async () => {
    const world = new HelperWorld();
    const end = world.connect('evidence');
    const reader = new FrameReader(MAX_HELPER_FRAME);
    const words: HelperWord[] = [];
    end.on('data', (bytes: Buffer) => words.push(...reader.push(bytes).map(decodeHelperWord)));
    end.write(encodeCourierWord(world.opening()));
    end.write(encodeCourierWord({ $case: 'submit', value: world.request() }));
    end.end();
    await world.helpers.at(-1)?.done;
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds(words)).toContain('rejected');
    expect(world.kernel.effects).toEqual([]);
  });
});
