import { Inject, Injectable } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import type { Sql } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { Sealing } from '../sealing.ts';
import { deleteIdentity, insertIdentity, lockIdentity, selectIdentities } from './account-identity.queries.ts';
import { oidcNotSetUp } from './oidc-errors.ts';

/** An identity at an identity provider that signs in as an account. */
export interface LinkedIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly linkedBy: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date | null;
  /** False: changed outside the server; it signs nobody in. */
  readonly sealed: boolean;
}

/** Which identity signs in as which account. The only reader and writer of these links. */
@Injectable()
export class IdentityService {
  readonly #sealing: Sealing;
  readonly #oidc: ServerConfig['oidc'];

  constructor(@Inject(Sealing) sealing: Sealing, @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'oidc'>) {
    this.#sealing = sealing;
    this.#oidc = config.oidc;
  }

  /** Nobody unlinks it before the transaction ends. */
  async lock(
    sql: Sql,
    issuer: string,
    subject: string,
  ): Promise<{ readonly accountId: string; readonly sealed: boolean } | undefined> {
    const row = await lockIdentity(sql, issuer, subject);
    return row === undefined ? undefined : { accountId: row.account_id, sealed: this.#isSealed(row) };
  }

  /** False: the identity is linked already. */
  insert(sql: Sql, issuer: string, subject: string, accountId: string, by: string): Promise<boolean> {
    const seal = this.#sealing.mac(contextOf(issuer, subject, accountId));
    return insertIdentity(sql, { issuer, subject, account_id: accountId, linked_by: by, seal });
  }

  /** At the identity provider of this server. @throws AppError oidc_not_set_up, account_exists when somebody has it. */
  async link(sql: Sql, accountId: string, subject: string, by: string): Promise<{ readonly issuer: string }> {
    if (this.#oidc === null) throw oidcNotSetUp();
    const { issuer } = this.#oidc;
    if (!(await this.insert(sql, issuer, subject, accountId, by)))
      throw new AppError('account_exists', `the identity ${JSON.stringify(subject)} at ${issuer} is linked already`);
    return { issuer };
  }

  /**
   * Also one of a provider that this server has no more, and one that was changed outside the server.
   *
   * @param issuer needed where the account has this subject at several. @throws AppError identity_not_found, body_invalid.
   */
  async unlink(
    sql: Sql,
    account: { readonly id: string; readonly name: string },
    subject: string,
    issuer: string | undefined,
  ): Promise<{ readonly issuer: string }> {
    const found = (await selectIdentities(sql, [account.id])).filter(
      (row) => row.subject === subject && (issuer === undefined || row.issuer === issuer),
    );
    const [row, ...others] = found;
    if (row === undefined)
      throw new AppError(
        'identity_not_found',
        `no identity ${JSON.stringify(subject)}${issuer === undefined ? '' : ` at ${issuer}`} signs in as ${account.name}; GET /api/v1/accounts lists which do`,
      );
    if (others.length > 0)
      throw new AppError(
        'body_invalid',
        `${JSON.stringify(subject)} signs in as ${account.name} from several issuers, say which: ${found.map((one) => one.issuer).join(', ')}`,
      );
    await deleteIdentity(sql, row.issuer, subject);
    return { issuer: row.issuer };
  }

  /** Of accounts that have any. */
  async of(sql: Sql, accountIds: readonly string[]): Promise<ReadonlyMap<string, readonly LinkedIdentity[]>> {
    const rows = await selectIdentities(sql, accountIds);
    const linked = rows.map((row) => ({
      accountId: row.account_id,
      issuer: row.issuer,
      subject: row.subject,
      linkedBy: row.linked_by,
      linkedAt: row.linked_at,
      lastUsedAt: row.last_used_at,
      sealed: this.#isSealed(row),
    }));
    return Map.groupBy(linked, ({ accountId }) => accountId);
  }

  #isSealed(row: {
    readonly issuer: string;
    readonly subject: string;
    readonly account_id: string;
    readonly seal: Buffer;
  }): boolean {
    return this.#sealing.isMac(contextOf(row.issuer, row.subject, row.account_id), row.seal);
  }
}

function contextOf(issuer: string, subject: string, accountId: string): string[] {
  return ['identity', issuer, subject, accountId];
}
