import type { FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken } from '../access/api-token.ts';
import type { AccessService } from '../access/access.service.ts';
import { requireAllowed } from '../access/allowed.ts';
import { decideRoute } from '../access/decision.ts';
import { routeName, ruleOf } from '../access/route-table.ts';
import type { Caller } from '../access/caller.ts';
import { ERROR_TABLE } from '../errors/error-table.ts';
import { AppError } from '../errors/app-error.ts';
import { holdsSecret } from '../logging/logger.ts';
import type { RateLimits } from './rate-limit.ts';

/** Printable ASCII without spaces, as ids and hashes are. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

declare module 'fastify' {
  interface FastifyRequest {
    /** The Idempotency-Key of a change; null on the other routes. */
    idempotencyKey: string | null;
    /** The caller as it is now, for answers that stay open; throws when it may not call any more. Null on open routes. */
    authenticateAgain: (() => Promise<Caller>) | null;
  }
}

export interface AccessOptions {
  readonly access: Pick<AccessService, 'authenticate' | 'wasGood'>;
  readonly limits: RateLimits;
  /** True when only this machine can reach the listener, and no proxy stands in front of it. */
  readonly scrapeIsOpen: boolean;
}

/**
 * Runs before anything of the body is read.
 *
 * INVARIANTS
 * - A path that no route serves needs a token too: who has none learns nothing of what there is.
 * - A route without a row in the route table is denied to everyone.
 * - The caller's grants are decided on here as far as the route tells; on which host is decided where the host is known.
 * - A change is described by its path and body alone.
 */
export function accessHook(options: AccessOptions): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    options.limits.address(request.ip, reply);
    const pattern = request.routeOptions.url;
    const isRoute = pattern !== undefined && !request.is404;
    const rule = isRoute ? ruleOf(request.method, pattern) : undefined;
    if (rule?.access === 'public' || (rule?.access === 'scrape' && options.scrapeIsOpen)) return;
    const caller = await authenticated(options, request, reply);
    request.caller = caller;
    request.authenticateAgain = () => options.access.authenticate(requiredToken(request), request.ip);
    options.limits.identity(caller.accountId, caller.name, reply);
    if (!isRoute) return;
    if (rule === undefined) throw new AppError('forbidden', `no rule lets anyone call ${request.method} ${pattern}`);
    requireAllowed(decideRoute(caller, rule, routeName(request.method, pattern)));
    if (rule.change !== true) return;
    refuseQuery(request);
    request.idempotencyKey = requiredKey(request);
  };
}

/**
 * Called for each route as it is registered: one without a row in the route table would be denied to everyone, so the server does not start with it.
 */
export function refuseUnruledRoute(route: { readonly method: string | string[]; readonly url: string }): void {
  for (const method of [route.method].flat()) {
    if (ruleOf(method, route.url) === undefined)
      throw new Error(`the route ${method} ${route.url} has no row in access/route-table.ts`);
  }
}

async function authenticated(
  { access, limits }: AccessOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Caller> {
  const token = bearerToken(request.headers.authorization);
  if (typeof token !== 'string' || !access.wasGood(token)) limits.beforeLookup(request.ip, reply);
  try {
    return await access.authenticate(requiredToken(request), request.ip);
  } catch (error) {
    if (error instanceof AppError && ERROR_TABLE[error.code].http < 500) limits.failed(request.ip);
    throw error;
  }
}

function requiredToken(request: FastifyRequest): string {
  const token = bearerToken(request.headers.authorization);
  if (token === undefined)
    throw new AppError('unauthenticated', 'this call needs an API token: send "Authorization: Bearer mfl_…"');
  if (token === null)
    throw new AppError(
      'unauthenticated',
      'the Authorization header holds no API token: it looks like "Bearer mfl_" and 43 characters',
    );
  return token;
}

/** What a change does is in its body. A `?dryRun=true` that nobody reads would be taken for a promise. */
function refuseQuery(request: FastifyRequest): void {
  const [first] = new URLSearchParams(request.url.split('?', 2)[1] ?? '').keys();
  if (first === undefined) return;
  throw new AppError(
    'query_invalid',
    `a change takes no query parameters, and here is ${JSON.stringify(first.slice(0, 64))}: put what it takes in the body`,
  );
}

function requiredKey(request: FastifyRequest): string {
  const key = request.headers['idempotency-key'];
  if (typeof key === 'string' && holdsSecret(key))
    throw new AppError(
      'idempotency_key_required',
      'the Idempotency-Key is a token, and keys are stored: use any new id',
    );
  if (typeof key === 'string' && IDEMPOTENCY_KEY.test(key)) return key;
  throw new AppError(
    'idempotency_key_required',
    key === undefined
      ? 'a change needs an Idempotency-Key header: any new id, the same one again for a retry of the same request'
      : 'an Idempotency-Key has 1 to 255 printable ASCII characters without spaces',
  );
}
