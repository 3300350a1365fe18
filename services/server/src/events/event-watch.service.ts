import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { StandingScope } from '../access/standing-scope.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { CursorService } from '../paging/cursor.service.ts';
import type { EventStream } from '../streaming/event-stream.ts';
import { formatOf, OpenStreams } from '../streaming/open-streams.ts';
import { type EventFilter, eventsAfter, type Followed, followEdge, type FollowPosition } from './event-list.queries.ts';
import { EventSignal } from './event-signal.ts';
import { toEvents } from './event.mapper.ts';
import { type EventQuery, EventsService } from './events.service.ts';
import type { eventWatchQuery } from './events.schema.ts';

/** Each asks the database at least once a second. */
const WATCHES_MAX = 200;
const ROWS_AT_ONCE = 500;
/** Between two looks of one watch, however much is stored: what comes meanwhile comes together. */
const BREATH_MS = 200;
/** Where to resume is told this often when nothing else is: cursors are good for a day. */
const POSITION_MS = 60_000;

/** Streams events as they are stored. */
@Injectable()
export class EventWatch {
  readonly #database: DatabaseService;
  readonly #events: EventsService;
  readonly #cursors: CursorService;
  readonly #signal: EventSignal;
  readonly #streams: OpenStreams;
  #open = 0;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(EventsService) events: EventsService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(EventSignal) signal: EventSignal,
    @Inject(OpenStreams) streams: OpenStreams,
  ) {
    this.#database = database;
    this.#events = events;
    this.#cursors = cursors;
    this.#signal = signal;
    this.#streams = streams;
  }

  /**
   * `start`, then every event that is stored from then on, or after the event of `Last-Event-ID`; `position` now and then. One that was stored a moment before
   * the start is told too where an older transaction had not ended: rather twice than never. Ends when the client leaves, the server stops, or the caller may
   * not read any more.
   *
   * @throws AppError host_not_found, host_ambiguous, host_retired, kmod_unknown, cursor_invalid, overloaded; SelectorError: before anything is sent.
   */
  async stream(query: z.output<typeof eventWatchQuery>, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (this.#open >= WATCHES_MAX)
      throw new AppError('overloaded', 'Too many are following events on this server. Try again in a moment.', {
        retryAfterSeconds: 5,
      });
    this.#open += 1;
    try {
      const scope = new StandingScope(request);
      const begin = await this.#begin(query, scope, request.headers['last-event-id']);
      const stream = this.#streams.open(reply, formatOf(request));
      try {
        if (request.method === 'HEAD') return;
        await stream.send({ event: 'start', data: begin.start, id: await this.#id(query, begin.position) });
        await this.#follow(query, begin.filter, scope, begin.position, stream);
      } finally {
        stream.end();
      }
    } finally {
      this.#open -= 1;
    }
  }

  async #begin(query: EventQuery, scope: StandingScope, lastEventId: string | string[] | undefined) {
    const { filter, unknownKmod } = await this.#events.ready(query, await scope.current());
    // Nothing can be followed under a name that nobody knows: most likely it is mistyped.
    if (unknownKmod !== undefined) throw unknownKmod;
    const given = typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined;
    const resumed = await this.#cursors.open(scopeOfWatch(query), given);
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const edge = await followEdge(sql);
      const position =
        resumed === null
          ? { transaction: edge, id: 0 }
          : { transaction: Number(resumed.key[0]), id: Number(resumed.key[1]) };
      if (position.transaction > edge)
        throw new AppError(
          'cursor_invalid',
          'the database was put back to an earlier state after this was told: begin again without Last-Event-ID',
        );
      const asOf = (await databaseTime(sql)).toISOString();
      return { filter, position, start: { ...(await this.#events.standing(sql, filter)), asOf } };
    });
  }

  async #follow(
    query: EventQuery,
    filter: EventFilter,
    scope: StandingScope,
    from: FollowPosition,
    stream: EventStream,
  ): Promise<void> {
    let position = from;
    let toldAt = performance.now();
    while (!stream.closed.aborted) {
      const woken = this.#signal.next(stream.closed);
      const found = await this.#look(filter, scope, position);
      if (found === 'over') return;
      for (const row of found?.rows ?? []) {
        position = { transaction: row.stored_by, id: row.id };
        for (const data of toEvents([row])) {
          await stream.send({ event: 'kmod_event', data, id: await this.#id(query, position) });
          toldAt = performance.now();
        }
        if (stream.closed.aborted) return;
      }
      if (found !== undefined && found.rows.length < ROWS_AT_ONCE) {
        // All that is stored before the edge is told, and nothing more will ever come there.
        if (found.edge > position.transaction) position = { transaction: found.edge, id: 0 };
        if (performance.now() - toldAt > POSITION_MS) {
          toldAt = performance.now();
          const id = await this.#id(query, position);
          await stream.send({ event: 'position', data: { asOf: found.asOf.toISOString() }, id });
        }
        await woken;
      }
      await delay(BREATH_MS);
    }
  }

  /** Undefined while the database is away: the next look makes up for it. `over`: the caller may not read any more. */
  async #look(
    filter: EventFilter,
    scope: StandingScope,
    position: FollowPosition,
  ): Promise<Followed | 'over' | undefined> {
    try {
      return await eventsAfter(this.#database, { ...filter, scope: await scope.current() }, position, ROWS_AT_ONCE);
    } catch (error) {
      if (error instanceof AppError) return 'over';
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }

  #id(query: EventQuery, { transaction, id }: FollowPosition): Promise<string> {
    return this.#cursors.seal(scopeOfWatch(query), { key: [transaction, id], asOfMs: Date.now() });
  }
}

function scopeOfWatch(query: EventQuery): object {
  return { list: 'event-watch', ...query };
}
