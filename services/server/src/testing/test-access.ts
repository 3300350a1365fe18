import { randomBytes } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import type { Role } from '../access/roles.ts';
import { DatabaseService } from '../database/database.service.ts';

export interface TestCaller {
  readonly accountId: string;
  readonly name: string;
  readonly token: string;
  readonly tokenId: string;
  readonly grantIds: readonly string[];
}

/** An account with these grants (role, and selector or null for the whole fleet) and a token, as the server would make them. */
export async function testCaller(
  app: INestApplicationContext,
  grants: readonly (readonly [Role, string | null])[],
  options: { readonly name?: string; readonly routes?: readonly string[]; readonly expiresInSeconds?: number } = {},
): Promise<TestCaller> {
  const repository = app.get(AccessRepository);
  const name = options.name ?? `t${randomBytes(6).toString('hex')}`;
  const made = await app.get(DatabaseService).tx('READ COMMITTED', async (sql) => {
    const account = await repository.createAccount(sql, { name, kind: 'service', createdBy: 'tests' });
    if (account === undefined) throw new Error(`there is an account ${name} already`);
    const grantIds: string[] = [];
    for (const [role, selector] of grants)
      grantIds.push((await repository.addGrant(sql, { accountId: account.id, role, selector, createdBy: 'tests' })).id);
    const { row, secret } = await repository.createToken(sql, {
      accountId: account.id,
      name,
      routes: options.routes ?? null,
      expiresInSeconds: options.expiresInSeconds ?? null,
      createdBy: 'tests',
    });
    return { accountId: account.id, name, token: secret, tokenId: row.id, grantIds };
  });
  await app.get(AccessService).changed();
  return made;
}
