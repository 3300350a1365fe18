import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StandingScope } from '../access/standing-scope.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { AppError } from '../errors/app-error.ts';
import { formatOf, OpenStreams } from '../streaming/open-streams.ts';
import { RolloutChanges } from './rollout-changes.service.ts';
import { RolloutReader } from './rollout-reader.service.ts';
import { isOverItem, type RolloutItem } from './rollout.view.ts';

/** A lost wake-up costs this much. */
const LOOK_AGAIN_MS = 1_000;
/** Between two events, however much changes: what comes meanwhile comes together. */
const BREATH_MS = 250;

/** Streams one rollout until it is over. */
@Injectable()
export class RolloutWatch {
  readonly #reader: RolloutReader;
  readonly #changes: RolloutChanges;
  readonly #streams: OpenStreams;

  constructor(
    @Inject(RolloutReader) reader: RolloutReader,
    @Inject(RolloutChanges) changes: RolloutChanges,
    @Inject(OpenStreams) streams: OpenStreams,
  ) {
    this.#reader = reader;
    this.#changes = changes;
    this.#streams = streams;
  }

  /** Ends with the rollout, when the client leaves, or when the caller may not read it any more. @throws AppError rollout_not_found, overloaded. */
  async stream(id: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const scope = new StandingScope(request);
    let item: RolloutItem | undefined = await this.#reader.get(id, await scope.current());
    const seen = versionOf(request.headers['last-event-id']);
    if (isOverItem(item) && item.version <= seen) {
      await reply.status(204).send();
      return;
    }
    const stream = this.#streams.open(reply, formatOf(request));
    let told = seen;
    let state = '';
    try {
      if (request.method === 'HEAD') return;
      while (!stream.closed.aborted) {
        const changed = this.#changes.next(id, LOOK_AGAIN_MS, stream.closed);
        // What hosts have and have not begun is not in the version: told when it changes, too.
        const shown = JSON.stringify(item?.counts);
        if (item !== undefined && (item.version > told || shown !== state)) {
          told = item.version;
          state = shown;
          await stream.send({ event: 'rollout', data: item, id: String(item.version) });
        }
        if (item !== undefined && isOverItem(item)) return;
        await changed;
        await delay(BREATH_MS);
        item = await this.#look(id, scope);
        if (item === undefined && stream.closed.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    } finally {
      stream.end();
    }
  }

  /** Undefined while the database is away. @throws AppError: the caller may not read it any more. */
  async #look(id: string, scope: StandingScope): Promise<RolloutItem | undefined> {
    try {
      return await this.#reader.get(id, await scope.current());
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }
}

function versionOf(lastEventId: string | string[] | undefined): number {
  return typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0;
}
