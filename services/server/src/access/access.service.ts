import { timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Bus } from '../bus/bus.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { ACCESS_CHANNEL, MADE_CHANNEL } from './access-channels.ts';
import { AccessRepository } from './access.repository.ts';
import { touchToken } from './api-token.queries.ts';
import { hashToken } from './api-token.ts';
import type { Caller, Credential } from './caller.ts';
import { sealOnce } from './first-seal.ts';
import { isRefusal, type Principal, principalOf, principalOfToken, type Refusal } from './principal.ts';
import { accountWithGrants, tokenWithAccount, type TokenWithAccount } from './principal.queries.ts';

/**
 * How long a replica believes what it read of a token, its account and its grants. A change through this replica holds from the next call on, one through
 * another as soon as the bus has told; a lost word, or a change by hand, costs this long. What is sent to hosts is looked at anew, without this.
 * Without it, 5,000 calls a second ask Postgres 5,000 times for the same few rows.
 */
const CACHE_MS = 1_000;
/** Tokens in use at a time; beyond that the oldest is read again. */
const CACHE_ENTRIES = 10_000;
/** Beside seal.key, once the rows of migration 0008 are sealed. */
const MARK = 'access-sealed';
const GOOD_FOR_MS = 60 * 60 * 1000;
const TOUCH_INTERVAL_MS = 60_000;
/** A broken row is told of once a minute, not at each call. */
const TELL_INTERVAL_MS = 60_000;

interface Known {
  readonly token: TokenWithAccount;
  readonly principal: Principal | Refusal;
}

/** Who calls, and what they may. */
@Injectable()
export class AccessService implements OnModuleInit, OnModuleDestroy {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #keys: ServerKeys;
  readonly #bus: Bus;
  readonly #logger = new Logger('access');
  readonly #broken;
  readonly #cache = new Map<string, { readonly known: Promise<Known | undefined>; readonly at: number }>();
  readonly #touched = new Map<string, number>();
  readonly #told = new Map<string, number>();
  /** Tokens (by their hash) that were good or made lately, and when. */
  readonly #good = new Map<string, number>();
  #unsubscribe: (() => void)[] = [];

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(ServerKeys) keys: ServerKeys,
    @Inject(Bus) bus: Bus,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#keys = keys;
    this.#bus = bus;
    this.#broken = metrics.counter(
      'modfleet_access_seals_broken_total',
      'Uses of an account, grant, token or join token that was changed outside the server, by what it was.',
      ['kind'],
    );
  }

  async onModuleInit(): Promise<void> {
    const sealed = await sealOnce({ folder: this.#keys.folder, name: MARK }, this.#repository, this.#database);
    if (sealed > 0)
      this.#logger.warn({
        message: 'the rights that were in the database before seals are sealed as they are',
        rows: sealed,
      });
    this.#unsubscribe = [
      this.#bus.subscribe(ACCESS_CHANNEL, () => this.#cache.clear()),
      this.#bus.subscribe(MADE_CHANNEL, (hash) => this.#remember(Buffer.from(hash, 'hex').toString('base64'))),
    ];
  }

  onModuleDestroy(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /**
   * The caller of an API token. It is looked up by its SHA-256, which a guesser does not control, and the hash compared again in constant time.
   *
   * @throws AppError unauthenticated, token_expired, token_revoked, account_disabled, access_seal_broken; DatabaseUnavailableError.
   */
  async authenticate(secret: string, address: string): Promise<Caller> {
    const hash = hashToken(secret);
    const known = await this.#read(hash);
    if (known === undefined || !timingSafeEqual(known.token.hash, hash)) {
      throw new AppError(
        'unauthenticated',
        'this API token is not known here; make one with "modfleet-server token create --name NAME"',
      );
    }
    const { token, principal } = known;
    const caller = this.#callerOf(principal, { kind: 'token', id: token.id }, address);
    this.#remember(hash.toString('base64'));
    this.#touch(token.id);
    return { ...caller, routes: token.routes, expiresAt: token.expires_at };
  }

  /** After the commit of a new token. It is no guess from its first call on, wherever that comes from. */
  async made(secret: string): Promise<void> {
    const hash = hashToken(secret);
    this.#remember(hash.toString('base64'));
    await this.#publish(MADE_CHANNEL, hash.toString('hex'), 'a new token');
  }

  /** The token authenticated or was made here within the last hour: it is no guess, whatever else comes from its address. Says nothing of whether it is good now. */
  wasGood(secret: string): boolean {
    const at = this.#good.get(hashToken(secret).toString('base64'));
    return at !== undefined && performance.now() - at < GOOD_FOR_MS;
  }

  /**
   * The caller of an account that has shown in another way who it is (a session).
   *
   * @throws AppError unauthenticated, account_disabled, access_seal_broken; DatabaseUnavailableError.
   */
  async callerOfAccount(
    accountId: string,
    credential: Credential,
    address: string,
    sql: Sql = this.#database,
  ): Promise<Caller> {
    const account = await accountWithGrants(sql, accountId);
    if (account === undefined) throw new AppError('unauthenticated', 'the account of this session is not there');
    return this.#callerOf(principalOf(account, this.#repository.seals), credential, address);
  }

  /** After the commit of a change of rights. Never fails: the other replicas see it within a second anyway. */
  async changed(): Promise<void> {
    this.#cache.clear();
    await this.#publish(ACCESS_CHANNEL, '', 'a change of rights; they see it within a second');
  }

  /** Says that a row was changed by hand: a metric at each use, a line in the log once a minute. */
  tellBroken(
    kind: 'account' | 'grant' | 'token' | 'requester' | 'sign_in' | 'join_token' | 'join_token_use',
    id: string,
  ): void {
    this.#broken.inc({ kind });
    const now = performance.now();
    if (now - (this.#told.get(id) ?? -Infinity) < TELL_INTERVAL_MS) return;
    this.#told.set(id, now);
    this.#logger.error({
      message: 'a right was changed outside the server: it gives nothing',
      code: 'access_seal_broken',
      kind,
      id,
    });
  }

  async #publish(channel: string, payload: string, what: string): Promise<void> {
    try {
      await this.#bus.publish(channel, payload);
    } catch (error) {
      this.#logger.warn({ message: `the other replicas were not told of ${what}`, err: error });
    }
  }

  #callerOf(principal: Principal | Refusal, credential: Credential, address: string): Caller {
    if (isRefusal(principal)) {
      if (principal.broken !== undefined) this.tellBroken(principal.broken.kind, principal.broken.id);
      throw new AppError(principal.code, principal.detail);
    }
    for (const id of principal.brokenGrants) this.tellBroken('grant', id);
    const { accountId, name, kind, grants, brokenGrants } = principal;
    return {
      accountId,
      name,
      kind,
      credential,
      grants,
      brokenGrants: brokenGrants.length,
      routes: null,
      expiresAt: null,
      address,
    };
  }

  #read(hash: Buffer): Promise<Known | undefined> {
    const key = hash.toString('base64');
    const now = performance.now();
    const cached = this.#cache.get(key);
    if (cached !== undefined && now - cached.at < CACHE_MS) return cached.known;
    const entry = { known: this.#load(hash), at: now };
    this.#cache.delete(key);
    if (this.#cache.size >= CACHE_ENTRIES)
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    this.#cache.set(key, entry);
    const forget = (): void => void (this.#cache.get(key) === entry && this.#cache.delete(key));
    // What is not known is not remembered: a token that was just made works at once, and guesses take no room.
    entry.known.then((known) => known === undefined && forget(), forget);
    return entry.known;
  }

  async #load(hash: Buffer): Promise<Known | undefined> {
    const token = await tokenWithAccount(this.#database, hash);
    return token === undefined ? undefined : { token, principal: principalOfToken(token, this.#repository.seals) };
  }

  #remember(key: string): void {
    this.#good.delete(key);
    for (const oldest of this.#good.keys()) {
      if (this.#good.size < CACHE_ENTRIES) break;
      this.#good.delete(oldest);
    }
    this.#good.set(key, performance.now());
  }

  #touch(id: string): void {
    const now = performance.now();
    if (now - (this.#touched.get(id) ?? -Infinity) < TOUCH_INTERVAL_MS) return;
    this.#touched.set(id, now);
    touchToken(this.#database, id).catch((error: unknown) =>
      this.#logger.debug({ message: 'last use of a token not noted', err: error }),
    );
  }
}
