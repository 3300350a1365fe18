import type { Asked } from '../errors/api-errors.ts';

/** Values of a query string; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** One event of a stream. */
export interface StreamEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** A change that the API may answer. `asked` makes its errors say what was typed. */
export interface Change {
  readonly method: 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly asked?: Asked;
}

/**
 * The HTTP API as commands see it. Paths are below /api/v1; parts of paths are encoded by `path`. Every method throws CliError: 5 when the
 * server does not answer, 7 when it takes too long, else by the server's problem document.
 */
export interface Api {
  readonly url: string;
  get<T>(path: string, query?: Query, asked?: Asked): Promise<T>;
  /** Sent under one Idempotency-Key, so a retry after a lost answer changes nothing twice. */
  change<T>(change: Change): Promise<T>;
  /** A POST that takes no Idempotency-Key, because a secret is in its body; sent once. */
  post<T>(path: string, body: unknown): Promise<T>;
  /** A list whole, as text of the type `accept`, as it comes. Breaking off in the middle is an error, never an end. */
  download(request: { path: string; query: Query; accept: string; asked?: Asked }): AsyncIterable<string>;
  /** Server-sent events. Ends when the server ends, or with an error when `until` is aborted; comments keep it open. */
  stream(request: {
    method: 'GET' | 'POST';
    path: string;
    query?: Query;
    body?: unknown;
    lastEventId?: string | undefined;
    until?: AbortSignal | undefined;
    asked?: Asked;
  }): AsyncIterable<StreamEvent>;
}

/** A path with its parts encoded: path`/kmods/${name}/hosts`. */
export function path(texts: TemplateStringsArray, ...values: readonly string[]): string {
  return texts.reduce((whole, text, at) => whole + encodeURIComponent(values[at - 1] ?? '') + text);
}
