import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { Sealing } from '../sealing.ts';
import { counted, type CounterKind, forgiven, waitOf } from './login-limit.rules.ts';
import { lockCounters, storeCounter } from './login-counter.queries.ts';

/** Who tries, and from where. */
export interface Try {
  /** As typed. */
  readonly name: string;
  readonly place: string;
  /** The account has signed in from there before. */
  readonly isKnown: boolean;
}

/** Counts tries in Postgres, so that all replicas count as one, and a restart forgets nothing. */
@Injectable()
export class LoginLimiter {
  readonly #database: DatabaseService;
  readonly #sealing: Sealing;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(Sealing) sealing: Sealing) {
    this.#database = database;
    this.#sealing = sealing;
  }

  /**
   * Counts a try before it is made.
   *
   * @throws AppError rate_limited, with the seconds that are left; such a try is not counted.
   */
  async count(tried: Try): Promise<void> {
    const counters = this.#countersOf(tried);
    const keys = counters.map(({ key }) => key);
    const waitMs = await this.#database.tx('READ COMMITTED', async (sql) => {
      const locked = await lockCounters(sql, keys);
      const longest = Math.max(...locked.counters.map((counter) => waitOf(counter, locked.now)));
      if (longest > 0) return longest;
      for (const [index, { key, kind }] of counters.entries()) {
        const counter = locked.counters[index];
        if (counter !== undefined) await storeCounter(sql, key, counted(kind, counter, locked.now));
      }
      return 0;
    });
    if (waitMs > 0) throw tooMany(waitMs);
  }

  /** The try was right. */
  async forgive(tried: Try): Promise<void> {
    const counters = this.#countersOf(tried);
    await this.#database.tx('READ COMMITTED', async (sql) => {
      const locked = await lockCounters(
        sql,
        counters.map(({ key }) => key),
      );
      for (const [index, { key, kind }] of counters.entries()) {
        const counter = locked.counters[index];
        if (counter !== undefined) await storeCounter(sql, key, forgiven(kind, counter));
      }
    });
  }

  #countersOf({ name, place, isKnown }: Try): { readonly kind: CounterKind; readonly key: Buffer }[] {
    const counter = (kind: CounterKind, ...whose: string[]) => ({
      kind,
      key: this.#sealing.mac(['login-counter', kind, ...whose]),
    });
    const account = name.toLowerCase();
    return isKnown ? [counter('known', account, place)] : [counter('account', account), counter('address', place)];
  }
}

function tooMany(waitMs: number): AppError {
  const seconds = Math.ceil(waitMs / 1000);
  return new AppError(
    'rate_limited',
    `too many tries to sign in failed; try again in ${seconds} s, from where you usually sign in, or with an API token or the identity provider`,
    { retryAfterSeconds: seconds },
  );
}
