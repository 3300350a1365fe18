import type { FastifyRequest } from 'fastify';
import { callerOf } from './caller.ts';
import { scopeOf } from './decision.ts';
import type { HostScope } from './host-scope.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { AppError } from '../errors/app-error.ts';

/** A revocation holds within five seconds, for answers that stay open too. */
const LOOK_AGAIN_MS = 4_000;

/** The hosts that the caller of an answer which takes long may read: as they are now, not as they were when it began. */
export class StandingScope {
  readonly #request: FastifyRequest;
  readonly #now: () => number;
  #scope: HostScope;
  #lookedAt: number;

  constructor(request: FastifyRequest, now: () => number = () => performance.now()) {
    this.#request = request;
    this.#now = now;
    this.#scope = scopeOf(callerOf(request), 'read');
    this.#lookedAt = now();
  }

  /**
   * Looks the caller up again when that was long ago. While the database is away nothing new is told anyway, and what was last known goes on.
   *
   * @throws AppError when the caller may not read anything any more.
   */
  async current(): Promise<HostScope> {
    if (this.#now() - this.#lookedAt < LOOK_AGAIN_MS) return this.#scope;
    try {
      const caller = await this.#request.authenticateAgain?.();
      if (caller !== undefined && caller !== null) this.#scope = scopeOf(caller, 'read');
      this.#lookedAt = this.#now();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    if (this.#scope !== 'all' && this.#scope.length === 0)
      throw new AppError('forbidden', 'the right to read hosts was taken away meanwhile');
    return this.#scope;
  }
}
