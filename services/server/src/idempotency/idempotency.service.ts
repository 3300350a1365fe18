/**
 * One effect per Idempotency-Key.
 *
 * INVARIANTS
 * - The answer is stored in the transaction of its effect: either both are there or neither.
 * - An error stores nothing: the same key may be tried again.
 * - A key belongs to one credential (token or session), one route and one request (path parameters, query and body alike); anything else under it is refused.
 * - What is sent to hosts or closed follows the commit, never precedes it.
 */
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerOf } from '../access/caller.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { bodyDigest } from './body-digest.ts';
import { dropOldAnswers, findAnswer, type KeyScope, storeAnswer, tryLockKey } from './idempotency.queries.ts';

/** What a change answers. The body is JSON, without `freeze`: that is added to each answer, also to a repeated one. */
export interface ChangeAnswer<Body extends object> {
  readonly status: number;
  readonly body: Body;
  /** Path for the Location header. */
  readonly location?: string;
}

const CLEANUP_INTERVAL_MS = 60 * 60 * 1000;
const IN_FLIGHT_RETRY_SECONDS = 1;

@Injectable()
export class IdempotencyService implements OnModuleInit, OnModuleDestroy {
  readonly #database: DatabaseService;
  readonly #logger = new Logger('idempotency');
  #cleanup: NodeJS.Timeout | undefined;

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  onModuleInit(): void {
    this.#cleanup = setInterval(() => {
      dropOldAnswers(this.#database).catch((error: unknown) =>
        this.#logger.debug({ message: 'old idempotency keys not removed', err: error }),
      );
    }, CLEANUP_INTERVAL_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#cleanup);
  }

  /**
   * Runs `change` once for the request's Idempotency-Key and answers from the store ever after. Sets status and Location of the reply; the body is returned
   * for the handler to return. `replayed` is true when nothing was done this time.
   *
   * @throws AppError idempotency_in_flight, idempotency_mismatch; whatever `change` throws.
   */
  async run<Body extends object>(
    request: FastifyRequest,
    reply: FastifyReply,
    change: (sql: Sql) => Promise<ChangeAnswer<Body>>,
  ): Promise<{ body: Body; replayed: boolean }> {
    const scope = scopeOf(request);
    const digest = bodyDigest({ params: request.params, query: request.query, body: request.body ?? {} });
    const { answer, replayed } = await this.#database.tx('READ COMMITTED', (sql) => once(sql, scope, digest, change));
    void reply.status(answer.status);
    if (answer.location !== undefined) void reply.header('location', answer.location);
    if (replayed) void reply.header('idempotency-replayed', 'true');
    return { body: answer.body, replayed };
  }
}

async function once<Body extends object>(
  sql: Sql,
  scope: KeyScope,
  digest: Buffer,
  change: (sql: Sql) => Promise<ChangeAnswer<Body>>,
): Promise<{ answer: ChangeAnswer<Body>; replayed: boolean }> {
  if (!(await tryLockKey(sql, scope))) {
    throw new AppError(
      'idempotency_in_flight',
      'a request with this Idempotency-Key is being worked on; ask again in a second',
      {
        retryAfterSeconds: IN_FLIGHT_RETRY_SECONDS,
      },
    );
  }
  const stored = await findAnswer(sql, scope);
  if (stored !== undefined) {
    if (!stored.body_digest.equals(digest)) {
      throw new AppError(
        'idempotency_mismatch',
        'this Idempotency-Key was used for another request; use a new key for a new request',
      );
    }
    const { status, response, location } = stored;
    return { answer: { status, body: response as Body, ...(location === null ? {} : { location }) }, replayed: true };
  }
  const answer = await change(sql);
  await storeAnswer(sql, scope, {
    body_digest: digest,
    status: answer.status,
    response: answer.body,
    location: answer.location ?? null,
  });
  return { answer, replayed: false };
}

function scopeOf(request: FastifyRequest): KeyScope {
  if (request.idempotencyKey === null)
    throw new AppError('idempotency_key_required', 'a change needs an Idempotency-Key header');
  return {
    tokenId: callerOf(request).credential.id,
    route: `${request.method} ${request.routeOptions.url ?? ''}`,
    key: request.idempotencyKey,
  };
}
