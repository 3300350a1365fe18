import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { Sealing } from '../sealing.ts';
import {
  dropPassword,
  putPassword,
  readPassword,
  readPasswords,
  replacePassword,
  sharePassword,
} from './account-password.queries.ts';
import { type Argon2Cost, CURRENT_COST, hashPassword, phcOf, verifyPassword } from './argon2id.ts';
import { HashQueue, type Lane } from './hash-queue.ts';
import { passwordProblem } from './password-rules.ts';
import type { PasswordStanding } from './password-standing.ts';

/** What is known of an account's password. */
export interface PasswordRecord {
  readonly phc: string;
  /** Made by an admin: good for one sign-in, which sets another. */
  readonly oneTime: boolean;
  /** Milliseconds since 1970; null: good until changed. */
  readonly expiresAt: number | null;
  /** As stored, to replace this one and no other. */
  readonly sealed: Buffer;
}

const recordSchema = z.strictObject({
  phc: z.string(),
  oneTime: z.boolean(),
  expiresAt: z.number().nullable(),
});

/** An account that is not there. */
const NOBODY = '00000000-0000-0000-0000-000000000000';
/** An admin hands it over by hand: a day is enough, and a forgotten one is worth nothing the day after. */
export const ONE_TIME_SECONDS = 86_400;
/** Letters and digits that are not taken for each other when read aloud. 20 of 30 are 98 bits. */
const ALPHABET = 'abcdefghjkmnpqrstvwxyz23456789';
const ONE_TIME_CHARACTERS = 20;

/** What a hash costs. A holder, so that tests that are not about it hash at a hundredth. */
@Injectable()
export class PasswordCost {
  current: Argon2Cost = CURRENT_COST;
}

/** Passwords of accounts. Plain ones are never stored, logged or put into an error. */
@Injectable()
export class PasswordService {
  readonly #database: DatabaseService;
  readonly #sealing: Sealing;
  readonly #queue: HashQueue;
  readonly #cost: PasswordCost;
  /** What the password of nobody is compared with, so that it takes as long: no password has this hash but by chance of 1 in 2^256. */
  readonly #decoy = { salt: randomBytes(16), tag: randomBytes(32) };

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(Sealing) sealing: Sealing,
    @Inject(HashQueue) queue: HashQueue,
    @Inject(PasswordCost) cost: PasswordCost,
  ) {
    this.#database = database;
    this.#sealing = sealing;
    this.#queue = queue;
    this.#cost = cost;
  }

  /**
   * Compares a password. Takes as long, and reads as much, for an account that is not there or has no password.
   *
   * @returns the record when it is the password. @throws AppError overloaded.
   */
  async check(
    accountId: string | undefined,
    password: string,
    lane: Lane,
  ): Promise<(PasswordRecord & { readonly outdated: boolean }) | undefined> {
    const record = await this.#record(accountId ?? NOBODY);
    const { current } = this.#cost;
    const phc = record?.phc ?? phcOf(this.#decoy.salt, this.#decoy.tag, current);
    const { matches, outdated } = await this.#queue.run(lane, () => verifyPassword(password, phc, current));
    return matches && record !== undefined && accountId !== undefined ? { ...record, outdated } : undefined;
  }

  /** Hashed, for {@link replace}; outside of any transaction, since it takes its time. @throws AppError password_refused, overloaded. */
  async hashNew(password: string, accountName: string, lane: Lane): Promise<string> {
    const problem = passwordProblem(password, accountName);
    if (problem !== undefined)
      throw new AppError(
        'password_refused',
        `the password ${problem}: take a sentence, or let a password manager make one`,
      );
    return this.hash(password, lane);
  }

  /** @throws AppError overloaded. */
  hash(password: string, lane: Lane): Promise<string> {
    return this.#queue.run(lane, () => hashPassword(password, this.#cost.current));
  }

  /** False: the password was changed since `old` was read. */
  replace(sql: Sql, accountId: string, old: Pick<PasswordRecord, 'sealed'>, phc: string): Promise<boolean> {
    const sealed = this.#seal(accountId, { phc, oneTime: false, expiresAt: null });
    return replacePassword(sql, accountId, old.sealed, sealed);
  }

  /** True: it is the password until the transaction ends. */
  isStill(sql: Sql, accountId: string, record: Pick<PasswordRecord, 'sealed'>): Promise<boolean> {
    return sharePassword(sql, accountId, record.sealed);
  }

  /** False: there was none. */
  remove(sql: Sql, accountId: string): Promise<boolean> {
    return dropPassword(sql, accountId);
  }

  /** Of accounts that have one. */
  async standings(sql: Sql, accountIds: readonly string[]): Promise<ReadonlyMap<string, PasswordStanding>> {
    const rows = await readPasswords(sql, accountIds);
    return new Map(
      rows.map(({ account_id: id, sealed }) => {
        const record = this.#open(id, sealed);
        return [id, record === undefined ? 'broken' : record.oneTime ? 'one_time' : 'own'];
      }),
    );
  }

  /** Puts a password of the person's own in the place of whatever the account had. */
  put(sql: Sql, accountId: string, phc: string): Promise<void> {
    return putPassword(sql, accountId, this.#seal(accountId, { phc, oneTime: false, expiresAt: null }));
  }

  /** A password that an admin hands over; good for a day and one sign-in. Hashed already, for {@link put}. */
  async makeOneTime(): Promise<{ readonly password: string; readonly phc: string }> {
    const password = oneTimePassword();
    return { password, phc: await this.hash(password, 'front') };
  }

  /** Puts a one-time password in the place of whatever the account had. @returns when it ends. */
  async putOneTime(sql: Sql, accountId: string, phc: string): Promise<Date> {
    const expiresAt = Date.now() + ONE_TIME_SECONDS * 1000;
    await putPassword(sql, accountId, this.#seal(accountId, { phc, oneTime: true, expiresAt }));
    return new Date(expiresAt);
  }

  async #record(accountId: string): Promise<PasswordRecord | undefined> {
    const sealed = await readPassword(this.#database, accountId);
    const record = sealed === undefined ? undefined : this.#open(accountId, sealed);
    return record === undefined || sealed === undefined ? undefined : { ...record, sealed };
  }

  /** Undefined: changed outside the server. */
  #open(accountId: string, sealed: Buffer): z.output<typeof recordSchema> | undefined {
    const text = this.#sealing.unbox(contextOf(accountId), sealed);
    return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
  }

  #seal(accountId: string, record: z.output<typeof recordSchema>): Buffer {
    return this.#sealing.box(contextOf(accountId), JSON.stringify(record));
  }
}

function contextOf(accountId: string): string[] {
  return ['password', accountId];
}

/** Four groups of five, for reading out. */
function oneTimePassword(): string {
  let text = '';
  while (text.length < ONE_TIME_CHARACTERS) {
    const [byte = 0] = randomBytes(1);
    // 240 is the last multiple of 30 below 256: above it some letters would come more often.
    if (byte < 240) text += ALPHABET[byte % ALPHABET.length] ?? '';
  }
  return text.replaceAll(/(.{5})(?=.)/g, '$1-');
}
