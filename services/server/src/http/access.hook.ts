import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccessService } from '../access/access.service.ts';
import { requireAllowed } from '../access/allowed.ts';
import { decideRoute } from '../access/decision.ts';
import { routeName, ruleOf } from '../access/route-table.ts';
import type { Caller } from '../access/caller.ts';
import { ERROR_TABLE } from '../errors/error-table.ts';
import { AppError } from '../errors/app-error.ts';
import type { SignInService } from '../sign-in/sessions/sign-in.service.ts';
import { type Shown, shownBy } from './credential.ts';
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
  readonly signIns: Pick<SignInService, 'authenticate' | 'wasGood'>;
  readonly limits: RateLimits;
  /** Origin by which browsers reach this server, if it is set. */
  readonly publicUrl: string | null;
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
    request.authenticateAgain = () => callerOf(options, shownBy(request, options.publicUrl), request.ip);
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

async function authenticated(options: AccessOptions, request: FastifyRequest, reply: FastifyReply): Promise<Caller> {
  const { access, signIns, limits, publicUrl } = options;
  let wasGood = false;
  try {
    const shown = shownBy(request, publicUrl);
    wasGood = shown.kind === 'token' ? access.wasGood(shown.secret) : signIns.wasGood(shown.secret);
    if (!wasGood) limits.beforeLookup(request.ip, reply);
    return await callerOf(options, shown, request.ip);
  } catch (error) {
    if (isFailure(error)) {
      // Who shows nothing at all is told no more often than who shows something wrong.
      if (!wasGood) limits.beforeLookup(request.ip, reply);
      limits.failed(request.ip);
    }
    throw error;
  }
}

/** @throws what the credential's own check throws. */
function callerOf({ access, signIns }: AccessOptions, shown: Shown, address: string): Promise<Caller> {
  return shown.kind === 'token'
    ? access.authenticate(shown.secret, address)
    : signIns.authenticate(shown.secret, shown.carrier, address);
}

function isFailure(error: unknown): boolean {
  return error instanceof AppError && error.code !== 'rate_limited' && ERROR_TABLE[error.code].http < 500;
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
