import type { Io, Sink } from '../io.ts';

/** What a fake world is like. */
export interface World {
  /** Columns of a terminal; absent: stdout and stderr are pipes. */
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Lines that a person types; absent: standard input is no terminal. */
  readonly typed?: readonly string[];
  /** Standard input of a pipe. */
  readonly piped?: string;
}

export interface FakeIo extends Io {
  /** Everything written to stdout. */
  written(): string;
  /** Everything written to stderr. */
  told(): string;
  interrupt(): void;
}

/** The time of every test: half a minute after the samples' "as of". */
export const NOW = new Date('2026-11-22T14:03:30.000Z');

/** Streams that collect, a clock that stands, waits that are over at once. Times are shown in UTC; no colours unless `env` has FORCE. */
export function fakeIo(world: World = {}): FakeIo {
  const out: string[] = [];
  const err: string[] = [];
  const typed = [...(world.typed ?? [])];
  const interrupt = new AbortController();
  let ids = 0;
  const sink = (texts: string[]): Sink => ({
    write: (text) => void texts.push(text),
    drained: () => Promise.resolve(),
    isTty: world.columns !== undefined,
    columns: world.columns,
  });
  return {
    out: sink(out),
    err: sink(err),
    input: {
      isTty: world.typed !== undefined,
      readAll: () => Promise.resolve(world.piped ?? ''),
      readLine: (prompt) => {
        err.push(prompt);
        return Promise.resolve(typed.shift() ?? '');
      },
    },
    env: { NO_COLOR: '1', ...world.env },
    now: () => NOW,
    timeZone: 'UTC',
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    wait: () => Promise.resolve(),
    signal: interrupt.signal,
    written: () => out.join(''),
    told: () => err.join(''),
    interrupt: () => interrupt.abort(),
  };
}
