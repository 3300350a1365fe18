import { Inject, Injectable, Logger } from '@nestjs/common';
import { AccessService } from '../access/access.service.ts';
import { findAccount } from '../access/account.queries.ts';
import type { Caller } from '../access/caller.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { LoginLimiter } from './limits/login-limiter.ts';
import { placeOf } from './limits/peer-place.ts';
import type { PasswordRecord } from './passwords/password.service.ts';
import { PasswordService } from './passwords/password.service.ts';
import type { Carrier } from './sessions/sign-in.queries.ts';
import { type StartedSignIn, SignInService } from './sessions/sign-in.service.ts';

/** Where somebody signs in from, and with what. */
export interface Visitor {
  readonly address: string;
  /** What the program calls itself. */
  readonly agent: string;
  readonly requestId: string;
}

export interface LoginRequest extends Visitor {
  readonly user: string;
  readonly password: string;
  /** Takes the place of `password`, which must be right. */
  readonly newPassword: string | undefined;
  readonly carrier: Carrier;
}

/** Who has just signed in, for the audit log. */
export function signedInSource(caller: Caller, { address, requestId }: Visitor): AuditSource {
  const actor = { kind: 'account', id: caller.accountId, name: caller.name } as const;
  return { actor, via: 'http', address, requestId, idempotencyKey: null };
}

export interface LoggedIn {
  readonly caller: Caller;
  readonly signIn: StartedSignIn;
}

/** Nobody has this id: what is asked for an account is asked for nobody too, so that both take as long. */
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** The same words for a name that nobody has, a wrong password, and an account without one. */
const WRONG = 'the name or the password is wrong; or sign in through the identity provider, or with an API token';

/** To who is in already, and changes a password. */
const WRONG_OWN =
  'this is not the password of now (or the account has none): nothing was changed; who has forgotten it asks an admin for another (modfleet accounts passwd)';

/**
 * Signing in with a password.
 *
 * INVARIANTS
 * - The name that was typed is in no log and no error: people type passwords there.
 * - Names that nobody has cost the same statements, the same hashing and the same answer as wrong passwords.
 * - What is true of an account (disabled, password to be changed) is said only to who knew its password.
 */
@Injectable()
export class LoginService {
  readonly #database: DatabaseService;
  readonly #access: AccessService;
  readonly #passwords: PasswordService;
  readonly #signIns: SignInService;
  readonly #limiter: LoginLimiter;
  readonly #audit: AuditService;
  readonly #logger = new Logger('sign-in');
  readonly #count;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessService) access: AccessService,
    @Inject(PasswordService) passwords: PasswordService,
    @Inject(SignInService) signIns: SignInService,
    @Inject(LoginLimiter) limiter: LoginLimiter,
    @Inject(AuditService) audit: AuditService,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#database = database;
    this.#access = access;
    this.#passwords = passwords;
    this.#signIns = signIns;
    this.#limiter = limiter;
    this.#audit = audit;
    this.#count = metrics.counter('modfleet_sign_ins_total', 'Tries to sign in, by way and how they ended.', [
      'way',
      'outcome',
    ]);
  }

  /** @throws AppError login_failed, rate_limited, password_change_required, password_refused, account_disabled, overloaded. */
  async login(request: LoginRequest): Promise<LoggedIn> {
    try {
      const done = await this.#login(request);
      this.#count.inc({ way: 'password', outcome: 'signed_in' });
      const { caller, signIn } = done;
      this.#logger.log({
        message: 'signed in',
        account: caller.name,
        way: 'password',
        address: request.address,
        signIn: signIn.id,
      });
      return done;
    } catch (error) {
      this.#count.inc({ way: 'password', outcome: error instanceof AppError ? error.code : 'internal' });
      throw error;
    }
  }

  /**
   * A person changes their own password; all their other sign-ins end.
   *
   * @throws AppError login_failed when `password` is not theirs; rate_limited, password_refused, overloaded.
   */
  async changePassword(source: AuditSource, caller: Caller, password: string, newPassword: string): Promise<number> {
    const tried = { user: caller.name, password, address: caller.address };
    const record = await this.#checked(tried, caller.accountId, WRONG_OWN);
    const phc = await this.#newHash(caller.name, password, newPassword);
    const ended = await this.#database.tx('READ COMMITTED', async (sql) => {
      if (!(await this.#passwords.replace(sql, caller.accountId, record, phc))) throw changedMeanwhile();
      const except = caller.credential.kind === 'session' ? caller.credential.id : null;
      const signInsEnded = await this.#signIns.endAllOf(sql, caller.accountId, except, caller.name);
      await this.#audit.record(sql, source, {
        what: 'password.change',
        object: caller.accountId,
        details: { signInsEnded },
      });
      return signInsEnded;
    });
    this.#logger.log({ message: 'password changed', account: caller.name, signInsEnded: ended });
    return ended;
  }

  async #login(request: LoginRequest): Promise<LoggedIn> {
    const { user, password, newPassword, carrier, address, agent } = request;
    const account = await findAccount(this.#database, user);
    const accountId = account?.kind === 'person' ? account.id : undefined;
    const record = await this.#checked({ user: account?.name ?? user, password, address }, accountId);
    if (account === undefined || accountId === undefined) throw new AppError('login_failed', WRONG);
    if (record.expiresAt !== null && record.expiresAt <= Date.now())
      throw new AppError(
        'login_failed',
        `the one-time password is over since ${new Date(record.expiresAt).toISOString()}; an admin makes another: modfleet accounts passwd ${account.name}`,
      );
    // Refused before anything is changed: a disabled account keeps its one-time password.
    const before = { kind: 'session', id: NOBODY } as const;
    await this.#access.callerOfAccount(accountId, before, address);
    if (record.oneTime && newPassword === undefined)
      throw new AppError(
        'password_change_required',
        'this password was for one sign-in: choose one of yours (newPassword) with it',
      );
    const phc =
      newPassword !== undefined
        ? await this.#newHash(account.name, password, newPassword)
        : record.outdated
          ? await this.#passwords.hash(password, 'front')
          : undefined;
    return this.#database.tx('READ COMMITTED', async (sql) => {
      // A password that was changed or removed since begins nothing more: whoever did that has ended what it began.
      const isGood =
        phc === undefined
          ? await this.#passwords.isStill(sql, accountId, record)
          : await this.#passwords.replace(sql, accountId, record, phc);
      if (!isGood) throw changedMeanwhile();
      if (newPassword !== undefined) await this.#signIns.endAllOf(sql, accountId, null, account.name);
      const signIn = await this.#signIns.start(sql, { accountId, carrier, way: 'password', address, agent });
      const caller = await this.#access.callerOfAccount(accountId, { kind: 'session', id: signIn.id }, address, sql);
      const details = { way: 'password', carrier, passwordChanged: newPassword !== undefined };
      await this.#audit.record(sql, signedInSource(caller, request), {
        what: 'sign_in.start',
        object: signIn.id,
        details,
      });
      return { caller, signIn };
    });
  }

  /** The record of the right password. Counts before it looks, and takes the count back when it was right. */
  async #checked(
    tried: { readonly user: string; readonly password: string; readonly address: string },
    accountId: string | undefined,
    wrong = WRONG,
  ): Promise<PasswordRecord & { readonly outdated: boolean }> {
    const isKnown = await this.#signIns.isKnownPlace(accountId ?? NOBODY, tried.address);
    const counted = { name: tried.user, place: placeOf(tried.address), isKnown };
    await this.#limiter.count(counted);
    const record = await this.#passwords.check(accountId, tried.password, isKnown ? 'front' : 'back');
    if (record === undefined) {
      // Which account: only where there is one.
      this.#logger.warn({ message: 'a sign-in failed', account: accountId ?? null, address: tried.address });
      throw new AppError('login_failed', wrong);
    }
    await this.#limiter.forgive(counted);
    return record;
  }

  #newHash(accountName: string, password: string, newPassword: string): Promise<string> {
    if (newPassword.normalize('NFC') === password.normalize('NFC'))
      throw new AppError('password_refused', 'the new password is the old one; choose another');
    return this.#passwords.hashNew(newPassword, accountName, 'front');
  }
}

function changedMeanwhile(): AppError {
  return new AppError(
    'login_failed',
    'the password was changed or removed just now by somebody else; sign in with the new one',
  );
}
