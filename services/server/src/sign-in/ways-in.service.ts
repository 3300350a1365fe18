import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { MAPPED_BY } from '../access/access.rows.ts';
import type { Sql } from '../database/database.service.ts';
import { IdentityService, type LinkedIdentity } from './oidc/identity.service.ts';
import { PasswordService } from './passwords/password.service.ts';
import type { waysInFields, waysLeftSchema } from './sign-in.schema.ts';
import { countOtherWays } from './ways-in.queries.ts';

/** How an account signs in. */
export type WaysIn = { readonly [F in keyof typeof waysInFields]: z.output<(typeof waysInFields)[F]> };

/** What an account signs in with, as lists show it. */
@Injectable()
export class WaysInService {
  readonly #passwords: PasswordService;
  readonly #identities: IdentityService;

  constructor(
    @Inject(PasswordService) passwords: PasswordService,
    @Inject(IdentityService) identities: IdentityService,
  ) {
    this.#passwords = passwords;
    this.#identities = identities;
  }

  /** One look for all of these accounts. */
  async of(sql: Sql, accountIds: readonly string[]): Promise<(accountId: string) => WaysIn> {
    const passwords = await this.#passwords.standings(sql, accountIds);
    const identities = await this.#identities.of(sql, accountIds);
    return (id) => ({
      password: passwords.get(id) ?? 'none',
      identities: (identities.get(id) ?? []).map(identityItem),
    });
  }

  /** What is left to an account after one of them was taken away. */
  async leftTo(sql: Sql, accountId: string): Promise<z.output<typeof waysLeftSchema>> {
    const waysIn = (await this.of(sql, [accountId]))(accountId);
    return { ...waysIn, ...(await countOtherWays(sql, accountId, MAPPED_BY)) };
  }
}

function identityItem({ issuer, subject, linkedBy, linkedAt, lastUsedAt, sealed }: LinkedIdentity) {
  return {
    issuer,
    subject,
    linkedBy,
    linkedAt: linkedAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
    sealed,
  };
}
