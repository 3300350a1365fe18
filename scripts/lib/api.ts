import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { ScriptError } from './program.ts';

/** The HTTP API as the root scripts need it. */
export interface Api {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  delete(path: string, body: unknown): Promise<unknown>;
}

export function connectApi(url: string, token: string): Api {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined)
      Object.assign(headers, { 'content-type': 'application/json', 'idempotency-key': randomUUID() });
    const answer = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new ScriptError(`${method} ${path}: the server answered ${answer.status}: ${text.slice(0, 300)}`);
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    delete: (path, body) => call('DELETE', path, body),
  };
}

/** Polls until `look` gives something, or one of `failures` settles first, or the time is up. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
  failures: readonly Promise<string>[] = [],
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let failed: string | undefined;
  for (const failure of failures) void failure.then((why) => (failed = why));
  let last = '';
  for (;;) {
    const found = await look().catch((error: unknown) => {
      last = error instanceof Error ? error.message : String(error);
      return undefined;
    });
    if (found !== undefined) return found;
    if (failed !== undefined) throw new ScriptError(failed);
    if (Date.now() > deadline)
      throw new ScriptError(`${what}: not within ${timeoutMs / 1000} s${last === '' ? '' : ` (${last})`}`);
    await delay(50);
  }
}
