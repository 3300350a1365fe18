import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { Io, Sink, Source } from './io.ts';

const USUAL_COLUMNS = 80;

/** The streams, clock and signals of this process. */
export function processIo(env: Io['env']): Io {
  const interrupt = new AbortController();
  // A second Ctrl-C ends at once, as the default would.
  process.once('SIGINT', () => interrupt.abort());
  process.once('SIGTERM', () => interrupt.abort());
  return {
    out: sink(process.stdout),
    err: sink(process.stderr),
    input: source(),
    env,
    now: () => new Date(),
    timeZone: undefined,
    newId: randomUUID,
    wait: async (ms, until) => {
      const signal = until === undefined ? interrupt.signal : AbortSignal.any([interrupt.signal, until]);
      await setTimeout(ms, undefined, { signal });
    },
    signal: interrupt.signal,
  };
}

function sink(stream: NodeJS.WriteStream): Sink {
  // The reader has gone (`| head`): nothing is left to say.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    write: (text) => void stream.write(text),
    drained: async () => {
      if (stream.writableNeedDrain) await once(stream, 'drain');
    },
    get isTty() {
      return stream.isTTY === true;
    },
    get columns() {
      // A terminal that does not know its width says 0.
      return stream.isTTY ? stream.columns || USUAL_COLUMNS : undefined;
    },
  };
}

function source(): Source {
  return {
    get isTty() {
      return process.stdin.isTTY === true;
    },
    readAll: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
      return Buffer.concat(chunks).toString('utf8');
    },
    readLine: async (prompt, secret) => (await import('./login/prompt.ts')).readLine(prompt, secret),
  };
}
