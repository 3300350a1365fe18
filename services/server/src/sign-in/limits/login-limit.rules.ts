/**
 * How long somebody who guesses has to wait.
 *
 * INVARIANTS
 * - A try is counted before the password is looked at: a thousand at once are a thousand.
 * - Nobody can close an account to its owner from elsewhere. From an address that the account has signed in from in the last 90 days there is a lane
 *   of its own (account and address); only failures in that lane slow it, and never for longer than a minute. Everybody else shares two counters, of
 *   the account and of the address, which grow to a quarter of an hour.
 * - Nothing is locked for good: every wait ends by itself, and an hour without failures takes back one step.
 * - API tokens and the identity provider are not counted here: they stay open whoever guesses passwords.
 */

/** `known`: the account at an address that it has signed in from. `account`, `address`: everybody else's. */
export type CounterKind = 'known' | 'account' | 'address';

/** A counter of failed tries. Times in milliseconds of Postgres's clock. */
export interface Counter {
  readonly failures: number;
  readonly lastAt: number;
  readonly blockedUntil: number;
}

export const NO_FAILURES: Counter = { failures: 0, lastAt: 0, blockedUntil: 0 };

interface Steps {
  /** Failures that cost no wait: people mistype. */
  readonly free: number;
  readonly longestMs: number;
}

const FIRST_WAIT_MS = 1_000;
/** One failure is forgotten for each hour without one: 24 guesses a day for who keeps below the free ones. */
const FORGET_MS = 3_600_000;

/**
 * An account: 5 free, then 1, 2, 4 … s up to 15 min, so some 100 guesses a day from the whole world. A known address: one minute at most, 1,440 guesses a
 * day for who shares the owner's address. An address: more are free, because offices share one.
 */
const STEPS = {
  known: { free: 10, longestMs: 60_000 },
  account: { free: 5, longestMs: 900_000 },
  address: { free: 20, longestMs: 900_000 },
} as const satisfies Record<CounterKind, Steps>;

/** @returns milliseconds that the caller has yet to wait; 0: may try now. */
export function waitOf(counter: Counter, now: number): number {
  return Math.max(0, counter.blockedUntil - now);
}

/** The counter after one more try. */
export function counted(kind: CounterKind, counter: Counter, now: number): Counter {
  const forgotten = Math.floor(Math.max(0, now - counter.lastAt) / FORGET_MS);
  const failures = Math.max(0, counter.failures - forgotten) + 1;
  const { free, longestMs } = STEPS[kind];
  const steps = failures - free;
  // 2^30 s is far beyond the longest: it keeps the figure a safe number.
  const wait = steps <= 0 ? 0 : Math.min(longestMs, FIRST_WAIT_MS * 2 ** Math.min(steps - 1, 30));
  return { failures, lastAt: now, blockedUntil: now + wait };
}

/**
 * The counter after the try turned out to be right. The owner's own lane begins anew. A shared one only takes the try back: who knows one password
 * must not wipe out the guesses at another.
 */
export function forgiven(kind: CounterKind, counter: Counter): Counter {
  if (kind === 'known') return NO_FAILURES;
  return { ...counter, failures: Math.max(0, counter.failures - 1), blockedUntil: 0 };
}
