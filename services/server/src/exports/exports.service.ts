import { Readable } from 'node:stream';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StandingScope } from '../access/standing-scope.ts';
import { AppError } from '../errors/app-error.ts';
import { EXPORT_TYPES, type ExportFormat } from './export-format.ts';
import { exportHead, type ExportList, type ExportPage, exportRows } from './export-shape.ts';

/** Each holds a page in memory, and asks the database for the next as its reader goes on. */
const EXPORTS_MAX = 20;
/** A reader that takes nothing for so long has gone. */
const STALLED_MS = 60_000;

/**
 * Gives whole lists as streams.
 *
 * INVARIANTS
 * - Memory is a page, however long the list: the next page is read when the reader has taken the last.
 * - Between two pages nothing is held: no transaction, no connection. So a slow reader is in nobody's way.
 * - What breaks off in the middle never looks whole: the chunked body ends without its last chunk, and the trailer `X-Export-Rows` is missing.
 * - Rights are looked at again while it lasts: what the caller may not read any more ends it.
 */
@Injectable()
export class Exports implements OnModuleDestroy {
  readonly #logger = new Logger('exports');
  readonly #open = new Set<Readable>();
  /** Others in tests alone. */
  readonly limits = { most: EXPORTS_MAX, stalledMs: STALLED_MS };
  #stopping = false;

  /**
   * The answer to a request that asks for a list as `format`. What fails before the first row is an ordinary error.
   *
   * @throws AppError overloaded, query_invalid, and what reading the first page throws.
   */
  async open<Item>(
    request: FastifyRequest,
    reply: FastifyReply,
    format: ExportFormat,
    list: ExportList<Item>,
  ): Promise<Readable> {
    refusePaging(request);
    if (this.#stopping || this.#open.size >= this.limits.most) {
      throw new AppError('overloaded', 'The server gives out too many lists just now. Try again in a moment.', {
        retryAfterSeconds: 5,
      });
    }
    const scope = new StandingScope(request);
    const first = await list.page(null, await scope.current());
    void reply
      .header('content-type', `${EXPORT_TYPES[format]}; charset=utf-8${format === 'csv' ? '; header=present' : ''}`)
      .header('trailer', 'X-Export-Rows')
      // A proxy that gathers the whole answer would be the one whose memory grows.
      .header('x-accel-buffering', 'no');
    const stream = Readable.from(this.#texts(format, list, first, scope, reply), { objectMode: false });
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    stream.on('error', (error) => this.#brokenOff(request, error));
    reply.raw.setTimeout(this.limits.stalledMs, () =>
      stream.destroy(new Error('the reader took nothing for too long')),
    );
    return stream;
  }

  onModuleDestroy(): void {
    this.#stopping = true;
    for (const stream of this.#open) stream.destroy(new Error('the server stops'));
  }

  async *#texts<Item>(
    format: ExportFormat,
    list: ExportList<Item>,
    first: ExportPage<Item>,
    scope: StandingScope,
    reply: FastifyReply,
  ): AsyncGenerator<string> {
    const { columns } = list;
    let page = first;
    let rows = page.items.length;
    yield exportHead(format, columns) + exportRows(format, columns, page.items);
    while (page.next !== null) {
      page = await list.page(page.next, await scope.current());
      rows += page.items.length;
      if (page.items.length > 0) yield exportRows(format, columns, page.items);
    }
    reply.raw.addTrailers({ 'X-Export-Rows': String(rows) });
  }

  #brokenOff(request: FastifyRequest, error: Error): void {
    const fields = { requestId: request.id, caller: request.caller?.name, err: error };
    this.#logger.warn({ message: 'an export was broken off', ...fields });
  }
}

/** Pages are what an export spares; and without chunks, an answer that broke off could not be told from a whole one. */
function refusePaging(request: FastifyRequest): void {
  const query = request.query as Readonly<Record<string, unknown>>;
  const paged = ['limit', 'cursor'].find((name) => Object.hasOwn(query, name));
  if (paged !== undefined)
    throw new AppError('query_invalid', `${paged}: an export is of every row; leave out limit and cursor`);
  if (request.raw.httpVersion === '1.0')
    throw new AppError(
      'query_invalid',
      'an export needs HTTP/1.1: with HTTP/1.0 nobody could tell whether it is whole',
    );
}
