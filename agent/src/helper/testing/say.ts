import type { Duplex } from 'node:stream';
import { FrameReader, MAX_HELPER_FRAME } from '../wire/frames.ts';
import type { HelperKind } from '../wire/protocol.ts';
import { decodeHelperWord, type HelperWord } from '../wire/strict-codec.ts';
import type { HelperWorld } from './helper-world.ts';

/** Says all of it over one connection, reads to the end, and gives the answers. */
export async function say(
  world: HelperWorld,
  chunks: readonly Uint8Array[],
  kind: HelperKind = 'act',
): Promise<HelperWord[]> {
  const end: Duplex = world.connect(kind);
  const reader = new FrameReader(MAX_HELPER_FRAME);
  const words: HelperWord[] = [];
  end.on('data', (bytes: Buffer) => words.push(...reader.push(bytes).map(decodeHelperWord)));
  for (const chunk of chunks) end.write(chunk);
  end.end();
  await world.helpers.at(-1)?.done;
  await new Promise((resolve) => setImmediate(resolve));
  return words;
}
