import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StandingScope } from '../access/standing-scope.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { AppError } from '../errors/app-error.ts';
import { FREEZE_READER, type FreezeReader } from '../http/freeze-reader.ts';
import type { Rollout } from '../api-types.ts';
import { formatOf, OpenStreams } from '../streaming/open-streams.ts';
import { RolloutChanges } from './rollout-changes.service.ts';
import { RolloutReader } from './rollout-reader.service.ts';
import { isOverItem } from './rollout.view.ts';

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
  readonly #freeze: FreezeReader;

  constructor(
    @Inject(RolloutReader) reader: RolloutReader,
    @Inject(RolloutChanges) changes: RolloutChanges,
    @Inject(OpenStreams) streams: OpenStreams,
    @Inject(FREEZE_READER) freeze: FreezeReader,
  ) {
    this.#reader = reader;
    this.#changes = changes;
    this.#streams = streams;
    this.#freeze = freeze;
  }

  /** Ends with the rollout, when the client leaves, or when the caller may not read it any more. @throws AppError rollout_not_found, overloaded. */
  async stream(id: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const scope = new StandingScope(request);
    let item: Rollout | undefined = await this.#read(id, scope);
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
        // What hosts have and have not begun, and the fleet's freeze, are not in the version: told when they change, too.
        const shown = JSON.stringify([item?.counts, item?.freeze]);
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
  async #look(id: string, scope: StandingScope): Promise<Rollout | undefined> {
    try {
      return await this.#read(id, scope);
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      throw error;
    }
  }

  async #read(id: string, scope: StandingScope): Promise<Rollout> {
    const item = await this.#reader.get(id, await scope.current());
    return { ...item, freeze: await this.#freeze.current() };
  }
}

function versionOf(lastEventId: string | string[] | undefined): number {
  return typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0;
}
