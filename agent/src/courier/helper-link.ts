import type { Duplex } from 'node:stream';
import { FrameError, FrameReader, MAX_HELPER_FRAME } from '../helper/wire/frames.ts';
import type { HelperKind } from '../helper/wire/protocol.ts';
import { type CourierWord, decodeHelperWord, encodeCourierWord, type HelperWord } from '../helper/wire/strict-codec.ts';

/** One live connection to a helper: typed words in both directions. */
export interface HelperLink {
  send(word: CourierWord): void;
  onWord(listener: (word: HelperWord) => void): void;
  /** Called once, when nothing more comes. */
  onEnd(listener: (why: string) => void): void;
  /** Says that nothing more is asked: the helper brings what it began to its end, and goes. */
  close(): void;
  /** Ends it here and now, for a helper that does not answer. */
  drop(why: string): void;
}

/** Opens a connection. Rejects with HelperUnavailableError. */
export type OpenLink = (kind: HelperKind) => Promise<HelperLink>;

/** There is no helper to talk to; nothing was sent. */
export class HelperUnavailableError extends Error {
  readonly code = 'helper_unavailable';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HelperUnavailableError';
  }
}

/** A link over a byte stream: a Unix socket, or the two pipes of a child. */
export function linkOver(stream: Duplex): HelperLink {
  const reader = new FrameReader(MAX_HELPER_FRAME);
  const wordListeners: ((word: HelperWord) => void)[] = [];
  const endListeners: ((why: string) => void)[] = [];
  let ended: string | undefined;
  const end = (why: string): void => {
    if (ended !== undefined) return;
    ended = why;
    stream.destroy();
    for (const listener of endListeners) listener(why);
  };
  stream.on('data', (bytes: Buffer) => {
    try {
      for (const message of reader.push(bytes)) {
        const word = decodeHelperWord(message);
        for (const listener of wordListeners) listener(word);
      }
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      end(`the helper cannot be understood: ${error.message}; were agent and helper installed together?`);
    }
  });
  stream.on('end', () => end('the helper ended the connection'));
  stream.on('error', (error) => end(error.message));
  stream.on('close', () => end('the connection to the helper is closed'));
  return {
    send: (word) => {
      if (ended === undefined && stream.writable) stream.write(encodeCourierWord(word));
    },
    onWord: (listener) => void wordListeners.push(listener),
    onEnd: (listener) => {
      if (ended === undefined) endListeners.push(listener);
      else queueMicrotask(() => listener(ended ?? ''));
    },
    close: () => void stream.end(),
    drop: end,
  };
}
