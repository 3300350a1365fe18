import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COMMENT_INTERVAL_MS, EventStream } from './event-stream.ts';

/** The part of a response that a stream uses; `full` makes it refuse more until `drain`. */
class FakeResponse extends EventEmitter {
  readonly written: string[] = [];
  headers: unknown;
  full = false;
  ended = false;
  writeHead(_status: number, headers: unknown): void {
    this.headers = headers;
  }
  flushHeaders(): void {}
  write(text: string): boolean {
    this.written.push(text);
    return !this.full;
  }
  end(): void {
    this.ended = true;
  }
}

function open(format: 'sse' | 'ndjson'): { response: FakeResponse; stream: EventStream } {
  const response = new FakeResponse();
  return { response, stream: new EventStream(response as unknown as ServerResponse, format) };
}

describe('EventStream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('writes events with id, name and one line of data', async () => {
    const { response, stream } = open('sse');
    await stream.send({ event: 'action', data: { text: 'a\nb' }, id: '7' });
    expect(response.written).toEqual(['id: 7\nevent: action\ndata: {"text":"a\\nb"}\n\n']);
    stream.end();
  });

  it('writes the same as lines', async () => {
    const { response, stream } = open('ndjson');
    await stream.send({ event: 'end', data: 1 });
    expect(response.written).toEqual(['{"event":"end","data":1}\n']);
    stream.end();
  });

  it('comments while nothing else is said, and never after the end', () => {
    const { response, stream } = open('sse');
    vi.advanceTimersByTime(COMMENT_INTERVAL_MS * 2);
    expect(response.written).toEqual([': still here\n\n', ': still here\n\n']);
    stream.end();
    vi.advanceTimersByTime(COMMENT_INTERVAL_MS * 2);
    expect(response.written).toHaveLength(2);
    expect(response.ended).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for a slow reader, and not for one that went away', async () => {
    const { response, stream } = open('sse');
    response.full = true;
    let sent = false;
    const sending = stream.send({ event: 'a', data: 1 }).then(() => (sent = true));
    await Promise.resolve();
    expect(sent).toBe(false);
    response.emit('drain');
    await sending;
    const second = stream.send({ event: 'b', data: 2 });
    response.emit('close');
    await second;
    expect(stream.closed.aborted).toBe(true);
    await stream.send({ event: 'c', data: 3 });
    expect(response.written).toHaveLength(2);
  });
});
