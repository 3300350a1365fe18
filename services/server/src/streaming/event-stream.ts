import type { ServerResponse } from 'node:http';

/** text/event-stream for browsers and the CLI, one JSON object a line for programs. */
export type StreamFormat = 'sse' | 'ndjson';

export interface StreamEvent {
  readonly event: string;
  readonly data: unknown;
  /** What Last-Event-ID will say after a reconnect. */
  readonly id?: string;
}

/** Proxies and NATs drop connections that say nothing; most wait a minute. */
export const COMMENT_INTERVAL_MS = 15_000;

const CONTENT_TYPE = {
  sse: 'text/event-stream; charset=utf-8',
  ndjson: 'application/x-ndjson; charset=utf-8',
} as const;

/**
 * One answer that stays open.
 *
 * INVARIANTS
 * - Nothing is written after the end or after the client went away; both abort `closed`.
 * - A slow reader holds up its own sender only: `send` waits until the socket takes more.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #format: StreamFormat;
  readonly #gone = new AbortController();
  readonly #comments: NodeJS.Timeout | undefined;

  /** @param headers what the answer carries beside the stream's own. */
  constructor(response: ServerResponse, format: StreamFormat, headers: Readonly<Record<string, string>> = {}) {
    this.#response = response;
    this.#format = format;
    response.writeHead(200, {
      ...headers,
      'content-type': CONTENT_TYPE[format],
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    response.on('close', () => this.#stop());
    response.on('error', () => this.#stop());
    if (format === 'sse')
      this.#comments = setInterval(() => this.#write(': still here\n\n'), COMMENT_INTERVAL_MS).unref();
  }

  /** Aborted when the client went away or the stream was ended. */
  get closed(): AbortSignal {
    return this.#gone.signal;
  }

  /** Several go in one write. Resolves when the socket takes more; at once when the stream is closed. */
  async send(...events: readonly StreamEvent[]): Promise<void> {
    if (this.#write(events.map((event) => encode(this.#format, event)).join('')) || this.closed.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#response.off('drain', done);
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      this.#response.on('drain', done);
      this.closed.addEventListener('abort', done);
    });
  }

  end(): void {
    if (!this.closed.aborted) this.#response.end();
    this.#stop();
  }

  #write(text: string): boolean {
    return this.closed.aborted || this.#response.write(text);
  }

  #stop(): void {
    clearInterval(this.#comments);
    this.#gone.abort();
  }
}

function encode(format: StreamFormat, { event, data, id }: StreamEvent): string {
  if (format === 'ndjson') return `${JSON.stringify({ event, data })}\n`;
  // JSON.stringify leaves no line break in a text, so one data line is enough.
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
