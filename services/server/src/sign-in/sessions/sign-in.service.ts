/**
 * Sign-ins: what a person has after showing who they are, until it ends.
 *
 * INVARIANTS
 * - The secret is 256 random bits, stored as a hash, and answered once.
 * - A row is sealed over all that it gives (whose it is, how it is carried, until when): one that was written by hand, or given to another account,
 *   is none.
 * - It ends by itself after a time without use, and after a longer time in any case; ended by hand it has no hash any more.
 * - The account's standing and grants are read at each call, so disabling it holds from the next call on.
 */
import { randomUUID, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { AccessService } from '../../access/access.service.ts';
import { sealableNow } from '../../access/account.queries.ts';
import type { Caller } from '../../access/caller.ts';
import type { AuditSource } from '../../audit/audit.model.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { dropOldCounters } from '../limits/login-counter.queries.ts';
import { placeOf } from '../limits/peer-place.ts';
import { Sealing } from '../sealing.ts';
import { leftFacts, signInFacts } from './sign-in-standing.ts';
import { hashSignInSecret, mintSignInSecret } from './sign-in-secret.ts';
import {
  type Carrier,
  dropOldSignIns,
  endSignIn,
  endSignInsOf,
  findByHash,
  insertSignIn,
  isKnownPlace,
  listOpen,
  type SignInRow,
  touchSignIn,
  type Way,
} from './sign-in.queries.ts';

export interface NewSignIn {
  readonly accountId: string;
  readonly carrier: Carrier;
  readonly way: Way;
  readonly address: string;
  /** What the caller says it is (User-Agent); shown in lists. */
  readonly agent: string;
}

export interface StartedSignIn {
  readonly id: string;
  readonly secret: string;
  readonly expiresAt: Date;
  readonly idleSeconds: number;
}

const TOUCH_INTERVAL_MS = 60_000;
const CLEANUP_INTERVAL_MS = 3_600_000;
const AGENT_CHARACTERS = 120;
/** Sign-ins in use at a time whose address may be somebody else's, too. */
const GOOD_ENTRIES = 10_000;
const GOOD_FOR_MS = 3_600_000;

@Injectable()
export class SignInService implements OnModuleInit, OnModuleDestroy {
  readonly #database: DatabaseService;
  readonly #access: AccessService;
  readonly #sealing: Sealing;
  readonly #audit: AuditService;
  readonly #config: Pick<ServerConfig, 'signInHours' | 'signInIdleMinutes'>;
  readonly #logger = new Logger('sign-in');
  readonly #touched = new Map<string, number>();
  readonly #good = new LRUCache<string, true>({ max: GOOD_ENTRIES, ttl: GOOD_FOR_MS });
  #cleanup: NodeJS.Timeout | undefined;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessService) access: AccessService,
    @Inject(Sealing) sealing: Sealing,
    @Inject(AuditService) audit: AuditService,
    @Inject(SERVER_CONFIG) config: ServerConfig,
  ) {
    this.#database = database;
    this.#access = access;
    this.#sealing = sealing;
    this.#audit = audit;
    this.#config = config;
  }

  onModuleInit(): void {
    this.#cleanup = setInterval(() => {
      this.#touched.clear();
      Promise.all([dropOldSignIns(this.#database), dropOldCounters(this.#database)]).catch((error: unknown) =>
        this.#logger.debug({ message: 'old sign-ins not removed', err: error }),
      );
    }, CLEANUP_INTERVAL_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#cleanup);
  }

  async start(sql: Sql, wanted: NewSignIn): Promise<StartedSignIn> {
    const { secret, hash } = mintSignInSecret();
    const id = randomUUID();
    const createdAt = await sealableNow(sql);
    const expiresAt = new Date(createdAt.getTime() + this.#config.signInHours * 3_600_000);
    const idleSeconds = this.#config.signInIdleMinutes * 60;
    const { accountId, carrier, way } = wanted;
    const facts = { id, account_id: accountId, carrier, expires_at: expiresAt, idle_seconds: idleSeconds };
    await insertSignIn(sql, {
      ...facts,
      hash,
      way,
      place: placeOf(wanted.address),
      agent: wanted.agent.replaceAll(/\p{C}/gu, '').slice(0, AGENT_CHARACTERS),
      created_at: createdAt,
      seal: this.#sealing.mac(signInFacts(facts, hash)),
    });
    // No guess from its first call on.
    this.#good.set(hash.toString('base64'), true);
    return { id, secret, expiresAt, idleSeconds };
  }

  /**
   * The caller of a sign-in.
   *
   * @throws AppError session_ended, account_disabled, access_seal_broken; DatabaseUnavailableError.
   */
  async authenticate(secret: string, carrier: Carrier, address: string): Promise<Caller> {
    const hash = hashSignInSecret(secret);
    const row = await findByHash(this.#database, hash);
    if (row === undefined || !timingSafeEqual(row.hash, hash) || row.carrier !== carrier || row.ended_at !== null)
      throw new AppError('session_ended', 'this sign-in has ended, or was never made here; sign in again');
    if (row.seal === null || !this.#sealing.isMac(signInFacts(row, hash), row.seal)) {
      this.#logger.error({ message: 'a sign-in was changed outside the server: it gives nothing', id: row.id });
      throw new AppError('session_ended', 'this sign-in was changed outside the server; sign in again');
    }
    if (row.is_over)
      throw new AppError('session_ended', `this sign-in is over since ${overSince(row).toISOString()}; sign in again`);
    const caller = await this.#access.callerOfAccount(row.account_id, { kind: 'session', id: row.id }, address);
    this.#good.set(hash.toString('base64'), true);
    this.#touch(row.id);
    return { ...caller, expiresAt: row.expires_at };
  }

  /** It authenticated or was begun here within the last hour: it is no guess, whatever else comes from its address. Says nothing of whether it is good now. */
  wasGood(secret: string): boolean {
    return this.#good.has(hashSignInSecret(secret).toString('base64'));
  }

  isKnownPlace(accountId: string, address: string): Promise<boolean> {
    return isKnownPlace(this.#database, accountId, placeOf(address));
  }

  list(
    accountId: string | null,
    limit: number,
    before: { readonly createdAt: Date; readonly id: string } | null,
  ): Promise<SignInRow[]> {
    return listOpen(this.#database, accountId, limit, before);
  }

  /** Its own logout: what it asked for stays asked for. Undefined: there is no such open one. */
  leave(sql: Sql, source: AuditSource, id: string, accountId: string): Promise<SignInRow | undefined> {
    return this.#end(sql, source, id, accountId, this.#sealing.mac(leftFacts({ id, account_id: accountId })));
  }

  /**
   * Somebody ends it: what it asked for and was not sent yet is not sent (actions/dispatch-rights.rules.ts).
   *
   * @param accountId null: whoever's it is. Undefined: there is no such open one.
   */
  end(sql: Sql, source: AuditSource, id: string, accountId: string | null): Promise<SignInRow | undefined> {
    return this.#end(sql, source, id, accountId, null);
  }

  /** @param except id of the one that stays. */
  endAllOf(sql: Sql, accountId: string, except: string | null, by: string): Promise<number> {
    return endSignInsOf(sql, accountId, except, by);
  }

  /** Those that were begun in this way. */
  endThoseBy(sql: Sql, accountId: string, way: Way, by: string): Promise<number> {
    return endSignInsOf(sql, accountId, null, by, way);
  }

  async #end(
    sql: Sql,
    source: AuditSource,
    id: string,
    accountId: string | null,
    left: Buffer | null,
  ): Promise<SignInRow | undefined> {
    const row = await endSignIn(sql, id, accountId, source.actor.name, left);
    if (row !== undefined)
      await this.#audit.record(sql, source, {
        what: 'sign_in.end',
        object: id,
        details: { account: row.account_name },
      });
    return row;
  }

  #touch(id: string): void {
    const now = performance.now();
    if (now - (this.#touched.get(id) ?? -Infinity) < TOUCH_INTERVAL_MS) return;
    this.#touched.set(id, now);
    touchSignIn(this.#database, id).catch((error: unknown) =>
      this.#logger.debug({ message: 'last use of a sign-in not noted', err: error }),
    );
  }
}

function overSince(row: SignInRow): Date {
  return new Date(Math.min(row.expires_at.getTime(), row.last_used_at.getTime() + row.idle_seconds * 1000));
}
