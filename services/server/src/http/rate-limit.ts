import type { FastifyReply } from 'fastify';
import type { ServerConfig } from '../config/server-config.ts';
import { AppError } from '../errors/app-error.ts';
import { addressKey, type Taken, TokenBuckets } from '../rate-limits/token-buckets.ts';

/** So many times its rate an address or identity may ask at once after quiet: a page of a console, a script that begins. */
const BURST_SECONDS = 5;
/** Callers and addresses that are remembered, each in some hundred bytes; what is forgotten begins anew. */
const KEYS = 20_000;

export type RateSettings = Pick<
  ServerConfig,
  'rateIdentityPerSecond' | 'rateAddressPerSecond' | 'rateFailuresPerMinute'
>;

/**
 * How often who may call, by this replica's count (a fleet of replicas lets each do so much). A rate of 0 is no limit.
 *
 * INVARIANTS
 * - The address is the true peer's, or what a listed proxy says (Fastify's trustProxy): never a header of anybody else.
 * - Failed authentications of an address are counted apart, and much harder; when they are used up, its unknown tokens are not even looked up. A token that
 *   was good lately goes on being served: a guesser behind the same address must not lock its neighbours out.
 */
export class RateLimits {
  readonly #identity: TokenBuckets | null;
  readonly #address: TokenBuckets | null;
  readonly #failures: TokenBuckets | null;
  readonly #now: () => number;

  constructor(settings: RateSettings, now: () => number = () => performance.now()) {
    this.#identity = perSecond(settings.rateIdentityPerSecond);
    this.#address = perSecond(settings.rateAddressPerSecond);
    const failures = settings.rateFailuresPerMinute;
    this.#failures = failures === 0 ? null : new TokenBuckets({ perSecond: failures / 60, burst: failures }, KEYS);
    this.#now = now;
  }

  /** Every call, before anything else. @throws AppError rate_limited. */
  address(address: string, reply: FastifyReply): void {
    this.#take(this.#address, 'address', addressKey(address), `the address ${address}`, reply);
  }

  /** Every call of a known caller. @throws AppError rate_limited. */
  identity(accountId: string, name: string, reply: FastifyReply): void {
    this.#take(this.#identity, 'identity', accountId, `the account ${name}`, reply);
  }

  /** Before a credential that is not known to be good is looked up. @throws AppError rate_limited. */
  beforeLookup(address: string, reply: FastifyReply): void {
    const state = this.#failures?.look(addressKey(address), this.#now());
    if (this.#failures !== null && state?.allowed === false) refuse(this.#failures, 'failures', state, FAILED, reply);
  }

  failed(address: string): void {
    this.#failures?.take(addressKey(address), this.#now());
  }

  #take(buckets: TokenBuckets | null, policy: string, key: string, who: string, reply: FastifyReply): void {
    if (buckets === null) return;
    const taken = buckets.take(key, this.#now());
    if (!taken.allowed) refuse(buckets, policy, taken, `${who} asks too often`, reply);
    tell(buckets, policy, taken, reply);
  }
}

const FAILED = 'too many calls from this address had no valid credential';

function refuse(buckets: TokenBuckets, policy: string, taken: Taken, why: string, reply: FastifyReply): never {
  tell(buckets, policy, taken, reply);
  const { retryAfterSeconds } = taken;
  throw new AppError('rate_limited', `${why}; ask again in ${retryAfterSeconds} s`, { retryAfterSeconds });
}

/** RateLimit and RateLimit-Policy as in draft-ietf-httpapi-ratelimit-headers: the quota, and what is left of it. */
function tell(buckets: TokenBuckets, policy: string, taken: Taken, reply: FastifyReply): void {
  const { perSecond, burst } = buckets.limit;
  void reply
    .header('ratelimit-policy', `"${policy}";q=${burst};w=${Math.ceil(burst / perSecond)}`)
    .header('ratelimit', `"${policy}";r=${taken.remaining};t=${taken.fullInSeconds}`);
}

function perSecond(rate: number): TokenBuckets | null {
  return rate === 0 ? null : new TokenBuckets({ perSecond: rate, burst: rate * BURST_SECONDS }, KEYS);
}
