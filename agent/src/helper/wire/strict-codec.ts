import { CourierFrame, HelperFrame } from '@modfleet/proto';
import { messageOf } from '../../error-words.ts';
import { FrameError, frameOf } from './frames.ts';

interface Codec<T> {
  decode(bytes: Uint8Array): T;
  encode(message: T): { finish(): Uint8Array };
}

/**
 * A message that was written as we write it. Unknown fields, a field given twice, defaults written out, numbers in long form: all these decode,
 * and none of them encodes to the same bytes again. So nothing is taken that was read in part only.
 *
 * @throws FrameError
 */
export function decodeStrictly<T>(codec: Codec<T>, bytes: Uint8Array): T {
  let message: T;
  let again: Uint8Array;
  try {
    message = codec.decode(bytes);
    again = codec.encode(message).finish();
  } catch (cause) {
    throw new FrameError(`no message: ${messageOf(cause)}`);
  }
  if (Buffer.compare(again, bytes) !== 0) throw new FrameError('a message with fields that this program does not know');
  return message;
}

/** What a courier says. */
export type CourierWord = NonNullable<CourierFrame['message']>;

/** What a helper says. */
export type HelperWord = NonNullable<HelperFrame['message']>;

/** @throws FrameError */
export function decodeCourierWord(bytes: Uint8Array): CourierWord {
  const { message } = decodeStrictly(CourierFrame, bytes);
  if (message === undefined) throw new FrameError('a frame without a message');
  return message;
}

/** @throws FrameError */
export function decodeHelperWord(bytes: Uint8Array): HelperWord {
  const { message } = decodeStrictly(HelperFrame, bytes);
  if (message === undefined) throw new FrameError('a frame without a message');
  return message;
}

/** As a frame. */
export function encodeCourierWord(message: CourierWord): Buffer {
  return frameOf(CourierFrame.encode({ message }).finish());
}

/** As a frame. */
export function encodeHelperWord(message: HelperWord): Buffer {
  return frameOf(HelperFrame.encode({ message }).finish());
}
