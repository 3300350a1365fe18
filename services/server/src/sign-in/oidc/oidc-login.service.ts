/**
 * Signing in through the identity provider.
 *
 * INVARIANTS
 * - Issuer and subject say who it is; a name or an e-mail address never does, nor leads to an account that is there already.
 * - What waits for the person to come back (state, nonce, verifier, device code) is sealed and kept by their own browser or command line: any replica
 *   goes on with it, and nobody else can.
 * - Grants that groups gave are compared with the groups at each sign-in, and end with the longest that it may last (group-grants.service.ts).
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import { AccessRepository } from '../../access/access.repository.ts';
import { MAPPED_BY } from '../../access/access.rows.ts';
import { AccessService } from '../../access/access.service.ts';
import { ACCOUNT_NAME } from '../../access/account-name.ts';
import { findAccountFolded } from '../../access/account.queries.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { Metrics } from '../../metrics/metrics.service.ts';
import { type LoggedIn, signedInSource, type Visitor } from '../login.service.ts';
import { Sealing } from '../sealing.ts';
import type { Carrier } from '../sessions/sign-in.queries.ts';
import { SignInService } from '../sessions/sign-in.service.ts';
import { touchIdentity } from './account-identity.queries.ts';
import { GroupGrants } from './group-grants.service.ts';
import { IdentityService } from './identity.service.ts';
import { type DeviceStart, OidcClient } from './oidc-client.ts';
import { oidcNotSetUp } from './oidc-errors.ts';
import { grantsOf } from './oidc-grants.ts';
import type { OidcIdentity } from './oidc-settings.ts';

/** Time for the person at the provider: to find the password manager, and the second factor. */
const BROWSER_SECONDS = 600;

const browserSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string(),
  until: z.number(),
});
const deviceSchema = z.strictObject({ deviceCode: z.string(), until: z.number() });

export interface DeviceOffer extends Omit<DeviceStart, 'deviceCode'> {
  /** Sealed; given back at each poll. */
  readonly pending: string;
}

@Injectable()
export class OidcLoginService {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #access: AccessService;
  readonly #signIns: SignInService;
  readonly #identities: IdentityService;
  readonly #groupGrants: GroupGrants;
  readonly #sealing: Sealing;
  readonly #audit: AuditService;
  readonly #oidc: ServerConfig['oidc'];
  readonly #client: OidcClient | undefined;
  readonly #logger = new Logger('sign-in');
  readonly #count;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AccessService) access: AccessService,
    @Inject(SignInService) signIns: SignInService,
    @Inject(IdentityService) identities: IdentityService,
    @Inject(GroupGrants) groupGrants: GroupGrants,
    @Inject(Sealing) sealing: Sealing,
    @Inject(AuditService) audit: AuditService,
    @Inject(Metrics) metrics: Metrics,
    @Inject(SERVER_CONFIG) config: ServerConfig,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#access = access;
    this.#signIns = signIns;
    this.#identities = identities;
    this.#groupGrants = groupGrants;
    this.#sealing = sealing;
    this.#audit = audit;
    this.#oidc = config.oidc;
    this.#client = config.oidc === null ? undefined : new OidcClient(config.oidc);
    this.#count = metrics.counter('modfleet_sign_ins_total', 'Tries to sign in, by way and how they ended.', [
      'way',
      'outcome',
    ]);
  }

  /**
   * Where a browser goes, and what it keeps meanwhile.
   *
   * @param returnTo path of this server that the person wanted to see. @throws AppError oidc_not_set_up, oidc_unavailable.
   */
  async start(returnTo: string): Promise<{ readonly url: string; readonly kept: string; readonly seconds: number }> {
    return this.#counted(async () => {
      const { url, checks } = await this.#provider().authorization();
      const kept = { ...checks, returnTo, until: Date.now() + BROWSER_SECONDS * 1000 };
      return { url: url.href, kept: this.#seal('oidc-browser', kept), seconds: BROWSER_SECONDS };
    });
  }

  /**
   * A browser has come back.
   *
   * @param query of the callback, as it came. @param kept what `start` gave it.
   * @throws AppError oidc_refused, oidc_unavailable, oidc_not_set_up, account_disabled.
   */
  async finish(
    query: string,
    kept: string | undefined,
    visitor: Visitor,
  ): Promise<LoggedIn & { readonly returnTo: string }> {
    return this.#counted(async () => {
      const provider = this.#provider();
      const checks = this.#open('oidc-browser', browserSchema, kept);
      if (checks === undefined || checks.until <= Date.now())
        throw new AppError(
          'oidc_refused',
          'this browser did not begin this sign-in, or began it more than 10 minutes ago, or another after it; begin again',
        );
      const identity = await provider.identityOf(query, checks);
      return { ...(await this.#signIn(identity, 'cookie', visitor)), returnTo: checks.returnTo };
    });
  }

  /** A command line begins. @throws AppError oidc_not_set_up, oidc_unavailable. */
  async startDevice(): Promise<DeviceOffer> {
    return this.#counted(async () => {
      const { deviceCode, ...offer } = await this.#provider().startDevice();
      const pending = this.#seal('oidc-device', { deviceCode, until: Date.now() + offer.expiresInSeconds * 1000 });
      return { ...offer, pending };
    });
  }

  /** @returns undefined: not yet; `slower`: asked too often. @throws AppError oidc_refused, oidc_unavailable, oidc_not_set_up, account_disabled. */
  async pollDevice(pending: string, visitor: Visitor): Promise<LoggedIn | { readonly slower: boolean }> {
    return this.#counted(async () => {
      const provider = this.#provider();
      const kept = this.#open('oidc-device', deviceSchema, pending);
      if (kept === undefined || kept.until <= Date.now())
        throw new AppError('oidc_refused', 'the time to sign in at the identity provider is over; begin again');
      const poll = await provider.pollDevice(kept.deviceCode);
      return poll.state === 'pending' ? { slower: poll.slower } : this.#signIn(poll.identity, 'bearer', visitor);
    });
  }

  async #signIn(identity: OidcIdentity, carrier: Carrier, visitor: Visitor): Promise<LoggedIn> {
    const { address, agent } = visitor;
    const { issuer, subject, groups } = identity;
    const wanted = grantsOf(this.#settings().groupGrants, groups);
    const done = await this.#database.tx('READ COMMITTED', async (sql) => {
      const linked = await this.#linked(sql, issuer, subject);
      const accountId = linked ?? (await this.#made(sql, identity, wanted.length));
      // A disabled account is left as it is.
      await this.#access.callerOfAccount(accountId, { kind: 'session', id: accountId }, address, sql);
      await touchIdentity(sql, issuer, subject);
      const signIn = await this.#signIns.start(sql, { accountId, carrier, way: 'oidc', address, agent });
      const aligned = await this.#groupGrants.align(sql, accountId, wanted, signIn.expiresAt);
      const caller = await this.#access.callerOfAccount(accountId, { kind: 'session', id: signIn.id }, address, sql);
      const made = {
        what: 'account.create',
        object: accountId,
        details: { name: caller.name, issuer, subject },
      } as const;
      await this.#audit.record(
        sql,
        signedInSource(caller, visitor),
        ...(linked === undefined ? [made] : []),
        ...aligned.decisions,
        { what: 'sign_in.start', object: signIn.id, details: { way: 'oidc', carrier, issuer, subject } },
      );
      return { caller, signIn, leavesNoAdmin: aligned.leavesNoAdmin };
    });
    await this.#access.changed();
    if (done.leavesNoAdmin) this.#groupGrants.tellNoAdmin();
    const { caller, signIn } = done;
    this.#count.inc({ way: 'oidc', outcome: 'signed_in' });
    this.#logger.log({ message: 'signed in', account: caller.name, way: 'oidc', address, signIn: signIn.id });
    return { caller, signIn };
  }

  async #linked(sql: Sql, issuer: string, subject: string): Promise<string | undefined> {
    const found = await this.#identities.lock(sql, issuer, subject);
    if (found === undefined) return undefined;
    if (found.sealed) return found.accountId;
    this.#logger.error({
      message: 'the link of an identity was changed outside the server: it gives nothing',
      subject,
    });
    throw new AppError(
      'oidc_refused',
      'the link of your identity to an account was changed outside the server; an admin has to link it anew',
    );
  }

  /** An account for who is here for the first time, where the settings want it and a group gives a right. */
  async #made(sql: Sql, identity: OidcIdentity, grants: number): Promise<string> {
    const { issuer, subject, name } = identity;
    const { makesAccounts, nameClaim } = this.#settings();
    if (!makesAccounts)
      throw new AppError(
        'oidc_refused',
        `no account is linked to you; an admin links one: modfleet accounts link NAME --subject ${subject}`,
      );
    if (grants === 0)
      throw new AppError(
        'oidc_refused',
        'none of your groups at the identity provider gives a right here; ask an admin',
      );
    if (name === undefined || !ACCOUNT_NAME.test(name))
      throw new AppError(
        'oidc_refused',
        `the identity provider names you in no way that an account can be named (claim ${nameClaim}); an admin links one: modfleet accounts link NAME --subject ${subject}`,
      );
    const account = await this.#repository.createAccount(sql, { name, kind: 'person', createdBy: MAPPED_BY });
    if (account === undefined || !(await this.#identities.insert(sql, issuer, subject, account.id, MAPPED_BY))) {
      const taken = (await findAccountFolded(sql, name))?.name ?? name;
      throw new AppError(
        'oidc_refused',
        `there is an account ${taken} already, and a name is no proof; an admin links it to you: modfleet accounts link ${taken} --subject ${subject}`,
      );
    }
    return account.id;
  }

  #seal(what: string, kept: object): string {
    return this.#sealing.box([what], JSON.stringify(kept)).toString('base64url');
  }

  #open<T>(what: string, schema: z.ZodType<T>, kept: string | undefined): T | undefined {
    const text = this.#sealing.unbox([what], Buffer.from(kept ?? '', 'base64url'));
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  }

  #settings(): NonNullable<ServerConfig['oidc']> {
    if (this.#oidc === null) throw oidcNotSetUp();
    return this.#oidc;
  }

  #provider(): OidcClient {
    if (this.#client === undefined) throw oidcNotSetUp();
    return this.#client;
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const outcome = error instanceof AppError ? error.code : 'internal';
      this.#count.inc({ way: 'oidc', outcome });
      if (error instanceof AppError)
        this.#logger.warn({ message: 'a sign-in failed', way: 'oidc', why: error.message });
      throw error;
    }
  }
}
