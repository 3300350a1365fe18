/** Where text goes: a stream of the process, or a collector in tests. */
export interface Sink {
  write(text: string): void;
  /** Resolves when what was written has been taken, as far as it must be before more is written. */
  drained(): Promise<void>;
  /** True on a terminal: a person reads it. */
  readonly isTty: boolean;
  /** Width in columns; undefined where there is no terminal: nothing is cut then. */
  readonly columns: number | undefined;
}

/** Standard input, as far as commands need it. */
export interface Source {
  readonly isTty: boolean;
  /** Everything up to the end of input. */
  readAll(): Promise<string>;
  /** One line from a terminal, without echo when `secret`. */
  readLine(prompt: string, secret: boolean): Promise<string>;
}

/** All that a command may touch besides the API. Tests pass their own. */
export interface Io {
  /** Data. */
  readonly out: Sink;
  /** Talk: progress, warnings, hints, errors. */
  readonly err: Sink;
  readonly input: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Time of this machine; used for ages on the page only. */
  now(): Date;
  /** Time zone of the times shown; undefined: the machine's. */
  readonly timeZone: string | undefined;
  /** A new random UUID (idempotency keys). */
  newId(): string;
  /** Resolves after so many milliseconds; rejects when `signal` aborts first, or `until`, after which nobody waits any more. */
  wait(ms: number, until?: AbortSignal): Promise<void>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
