import type { Alarm, Problem } from '@modfleet/server/api-types';
import type { Settings } from '../config/cli-config.ts';
import { apiError, type Asked } from '../errors/api-errors.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import type { Api, Change, Query, StreamEvent } from './api.ts';
import { VERSION } from '../version.ts';
import { clean } from '../output/clean.ts';
import { colorsFor } from '../output/style.ts';
import { networkError } from './network-error.ts';

/** What we ask of a fetch: less than the web's, so that Node's own and the undici package's both fit. */
export interface FetchInit {
  readonly method: string;
  readonly redirect: 'error';
  readonly signal: AbortSignal;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** What we take from its response. */
export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
}

export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** Longest wait for an answer that is no stream. The server answers within 10 s or says 503. */
const ANSWER_TIMEOUT_MS = 30_000;
/** A lost connection is tried so often again; the key makes it harmless. */
const CHANGE_ATTEMPTS = 3;

interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly asked?: Asked | undefined;
  readonly stream?: boolean;
  readonly until?: AbortSignal | undefined;
}

export class HttpApi implements Api {
  readonly url: string;
  readonly #settings: Settings;
  readonly #io: Io;
  readonly #fetch: Fetch;
  #alarmed = false;

  constructor(settings: Settings, io: Io, fetch: Fetch) {
    this.url = settings.url;
    this.#settings = settings;
    this.#io = io;
    this.#fetch = fetch;
  }

  async get<T>(path: string, query?: Query, asked?: Asked): Promise<T> {
    const response = await this.#send({ method: 'GET', path, query, asked });
    return (await this.#json(response)) as T;
  }

  async change<T>(change: Change): Promise<T> {
    const headers = { 'idempotency-key': this.#io.newId() };
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#send({ ...change, headers });
        return (await this.#json(response)) as T;
      } catch (error) {
        if (attempt === CHANGE_ATTEMPTS || !isLostConnection(error)) throw error;
      }
    }
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return (await this.#json(await this.#send({ method: 'POST', path, body }))) as T;
  }

  async *download({ accept, ...request }: Parameters<Api['download']>[0]): AsyncIterable<string> {
    // What is refused is refused in JSON's own problem type; `application/json` itself would ask for a page.
    const headers = { accept: `${accept}, application/problem+json` };
    const response = await this.#send({ ...request, method: 'GET', headers, stream: true });
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith(accept))
      throw notTheApi(
        this.url,
        `it gives no lists as ${accept}, but ${type || 'without a type'}; it may be an older one`,
      );
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) yield decoder.decode(chunk, { stream: true });
    } catch (error) {
      throw networkError(error, this.url, this.#io.signal);
    }
  }

  async *stream(request: Parameters<Api['stream']>[0]): AsyncIterable<StreamEvent> {
    const { createParser } = await import('eventsource-parser');
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (request.lastEventId !== undefined) headers['last-event-id'] = request.lastEventId;
    const response = await this.#send({ ...request, headers, stream: true });
    const waiting: StreamEvent[] = [];
    const parser = createParser({
      onEvent: (event) =>
        waiting.push({ event: event.event ?? 'message', id: event.id, data: parseJson(event.data, this.url) }),
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        yield* waiting.splice(0);
      }
    } catch (error) {
      throw networkError(error, this.url, this.#io.signal);
    }
  }

  async #send(request: Request): Promise<FetchResponse> {
    const url = `${this.#settings.url}/api/v1${request.path}${queryText(request.query)}`;
    const ends = request.stream ? [] : [AbortSignal.timeout(ANSWER_TIMEOUT_MS)];
    if (request.until !== undefined) ends.push(request.until);
    const init: FetchInit = {
      method: request.method,
      redirect: 'error',
      signal: AbortSignal.any([this.#io.signal, ...ends]),
      headers: {
        accept: 'application/json, application/problem+json',
        'user-agent': `modfleet/${VERSION}`,
        ...(this.#settings.token === '' ? {} : { authorization: `Bearer ${this.#settings.token}` }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    };
    let response: FetchResponse;
    try {
      response = await this.#fetch(url, init);
    } catch (error) {
      throw networkError(error, this.url, this.#io.signal);
    }
    if (!response.ok) throw apiError(await this.#problem(response), { again: this.#settings.again, ...request.asked });
    return response;
  }

  async #problem(response: FetchResponse): Promise<Problem> {
    const type = response.headers.get('content-type') ?? '';
    if (type.startsWith('application/problem+json')) return (await this.#json(response)) as Problem;
    throw notTheApi(this.url, `it answered ${response.status} with ${type || 'no content type'}`);
  }

  async #json(response: FetchResponse): Promise<unknown> {
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw networkError(error, this.url, this.#io.signal);
    }
    const body = parseJson(text, this.url);
    this.#noteAlarm(body);
    return body;
  }

  /** Any answer may carry it, and every command has to say it: here nothing can forget it. Once a run. */
  #noteAlarm(body: unknown): void {
    const { alarm } = (body ?? {}) as { readonly alarm?: Partial<Alarm> };
    if (this.#alarmed || typeof alarm?.message !== 'string') return;
    this.#alarmed = true;
    this.#io.err.write(`${colorsFor(this.#io, this.#io.err).yellow('Alarm:')} ${clean(alarm.message)}\n`);
  }
}

function queryText(query: Query | undefined): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) if (value !== undefined) search.set(key, String(value));
  return search.size === 0 ? '' : `?${search.toString()}`;
}

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notTheApi(url, 'it did not answer in JSON');
  }
}

function notTheApi(url: string, why: string): CliError {
  return new CliError(`${url} does not look like a modfleet server: ${why}`, {
    exitCode: EXIT.unreachable,
    hints: ['check the address: modfleet login --url URL'],
  });
}

/** The connection ended before the answer did; a server that refuses to be reached is not meant. */
function isLostConnection(error: unknown): boolean {
  return (
    error instanceof CliError && error.cause instanceof Error && 'lost' in error.cause && error.cause.lost === true
  );
}
