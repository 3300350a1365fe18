import { type BucketLimit, TokenBucket } from './token-bucket.ts';

export interface Taken {
  readonly allowed: boolean;
  /** What is left now. */
  readonly remaining: number;
  /** Seconds until one more is there; 0 when there is. */
  readonly retryAfterSeconds: number;
  /** Seconds until the bucket is full again. */
  readonly fullInSeconds: number;
}

/**
 * One token bucket a key. Knows nothing of requests and clocks. A bucket that is not asked for refills by itself; beyond `keys` the one that was asked for
 * longest ago is forgotten, which is as if it were full.
 */
export class TokenBuckets {
  readonly limit: BucketLimit;
  readonly #keys: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(limit: BucketLimit, keys: number) {
    this.limit = limit;
    this.#keys = keys;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one, if there is one. @param now ms of any steady clock. */
  take(key: string, now: number): Taken {
    const bucket = this.#bucketOf(key, now);
    return this.#state(bucket.take(now), bucket.tokens(now));
  }

  /** What {@link take} would say; takes nothing. */
  look(key: string, now: number): Taken {
    const tokens = this.#bucketOf(key, now).tokens(now);
    return this.#state(tokens >= 1, tokens);
  }

  #bucketOf(key: string, now: number): TokenBucket {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.limit, now);
    this.#buckets.delete(key);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size < this.#keys) break;
      this.#buckets.delete(oldest);
    }
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #state(allowed: boolean, tokens: number): Taken {
    const { perSecond, burst } = this.limit;
    return {
      allowed,
      remaining: Math.floor(tokens),
      retryAfterSeconds: tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perSecond),
      fullInSeconds: Math.ceil((burst - tokens) / perSecond),
    };
  }
}

/**
 * Whose bucket an address is: an IPv4 address, or the /64 network of an IPv6 address, since whoever has one address of it has all (RFC 6177).
 * An IPv4 address in IPv6 clothes is the IPv4 address.
 */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
