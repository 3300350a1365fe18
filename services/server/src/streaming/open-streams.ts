import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.ts';
import { EventStream, type StreamFormat } from './event-stream.ts';

/** Open streams of one process; each costs a socket and, for a watch, a listener. */
const STREAM_LIMIT = 1000;

/** All streams of this process, so that a stop of the server ends them instead of waiting for their readers. */
@Injectable()
export class OpenStreams implements OnModuleDestroy {
  readonly #open = new Set<EventStream>();
  #stopping = false;

  /** @throws AppError overloaded. */
  open(reply: FastifyReply, format: StreamFormat): EventStream {
    if (this.#stopping || this.#open.size >= STREAM_LIMIT) {
      throw new AppError('overloaded', 'The server has too many open streams just now. Try again in a moment.', {
        retryAfterSeconds: 2,
      });
    }
    const headers = Object.fromEntries(
      Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, String(value)]],
      ),
    );
    reply.hijack();
    const stream = new EventStream(reply.raw, format, headers);
    this.#open.add(stream);
    stream.closed.addEventListener('abort', () => this.#open.delete(stream));
    return stream;
  }

  onModuleDestroy(): void {
    this.#stopping = true;
    for (const stream of this.#open) stream.end();
  }
}

/** What the caller wants a stream as; event-stream unless it asks for lines and not for event-stream. */
export function formatOf(request: Pick<FastifyRequest, 'headers'>): StreamFormat {
  const accept = request.headers.accept ?? '';
  return accept.includes('application/x-ndjson') && !accept.includes('text/event-stream') ? 'ndjson' : 'sse';
}
