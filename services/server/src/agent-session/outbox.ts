import { SessionResponse } from '@modfleet/proto';
import type { ServerMessage } from './agent-gateway.ts';

/** Bytes that may wait for one slow host; an action request has a few hundred. */
const OUTBOX_BYTES_MAX = 1024 * 1024;

interface Entry {
  message: ServerMessage;
  bytes: number;
}

/** Messages of which only the newest says anything. */
const LATEST_ONLY: ReadonlySet<ServerMessage['$case']> = new Set(['heartbeatReply', 'ping', 'reconnect']);

/** What waits for one host: bounded in bytes; messages that a newer one replaces, and requests that can be one, are joined. */
export class Outbox {
  readonly #entries: Entry[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** False: full, and the message is not in it. */
  push(message: ServerMessage): boolean {
    const joined = this.#join(message);
    if (joined !== undefined) return true;
    const bytes = SessionResponse.encode({ message }).finish().length;
    if (this.#bytes + bytes > OUTBOX_BYTES_MAX) return false;
    this.#entries.push({ message, bytes });
    this.#bytes += bytes;
    return true;
  }

  shift(): ServerMessage | undefined {
    const entry = this.#entries.shift();
    this.#bytes -= entry?.bytes ?? 0;
    return entry?.message;
  }

  #join(message: ServerMessage): Entry | undefined {
    if (LATEST_ONLY.has(message.$case)) {
      const entry = this.#entries.find((each) => each.message.$case === message.$case);
      if (entry !== undefined) entry.message = message;
      return entry;
    }
    if (message.$case !== 'facetRequest') return undefined;
    const entry = this.#entries.find((each) => each.message.$case === 'facetRequest');
    if (entry?.message.$case !== 'facetRequest') return undefined;
    const facets = [...new Set([...entry.message.value.facets, ...message.value.facets])];
    entry.message = { $case: 'facetRequest', value: { facets } };
    return entry;
  }
}
