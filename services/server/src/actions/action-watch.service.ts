import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { AppError } from '../errors/app-error.ts';
import type { EventStream } from '../streaming/event-stream.ts';
import { OpenStreams, formatOf } from '../streaming/open-streams.ts';
import { ActionChanges } from './action-changes.service.ts';
import { isEnded } from './action.states.ts';
import { toItem } from './action.view.ts';
import { ActionsService } from './actions.service.ts';

/** A revocation holds within five seconds, for answers that stay open too. */
const LOOK_AGAIN_MS = 4_000;

/** Streams one action until it ended. */
@Injectable()
export class ActionWatch {
  readonly #actions: ActionsService;
  readonly #changes: ActionChanges;
  readonly #streams: OpenStreams;

  constructor(
    @Inject(ActionsService) actions: ActionsService,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(OpenStreams) streams: OpenStreams,
  ) {
    this.#actions = actions;
    this.#changes = changes;
    this.#streams = streams;
  }

  /** @throws AppError action_not_found, overloaded: before anything is sent. */
  async stream(id: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const first = await this.#actions.get(id, scopeOf(callerOf(request), 'read'));
    const seen = versionOf(request.headers['last-event-id']);
    if (isEnded(first.state) && first.version <= seen) {
      // The client has it all: 204 tells an EventSource not to come back.
      await reply.status(204).send();
      return;
    }
    const stream = this.#streams.open(reply, formatOf(request));
    const guard = setInterval(() => void this.#endUnlessAllowed(id, request, stream), LOOK_AGAIN_MS);
    try {
      for await (const action of this.#changes.watch(id, stream.closed)) {
        if (action.version > seen)
          await stream.send({ event: 'action', data: toItem(action), id: String(action.version) });
        if (isEnded(action.state)) break;
      }
    } finally {
      clearInterval(guard);
      stream.end();
    }
  }

  /** A stream does not outlive the right to it by more than {@link LOOK_AGAIN_MS}. While the database is away nothing new is told anyway. */
  async #endUnlessAllowed(id: string, request: FastifyRequest, stream: EventStream): Promise<void> {
    try {
      const caller = await request.authenticateAgain?.();
      if (caller !== undefined) await this.#actions.get(id, scopeOf(caller, 'read'));
    } catch (error) {
      if (error instanceof AppError) stream.end();
    }
  }
}

/** 0 for no id, or one that is none of ours: then the state is sent again. */
function versionOf(lastEventId: string | string[] | undefined): number {
  return typeof lastEventId === 'string' && /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : 0;
}
