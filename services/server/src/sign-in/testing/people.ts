import { AccessRepository } from '../../access/access.repository.ts';
import type { Role } from '../../access/roles.ts';
import type { ApiAnswered, ApiServer } from '../../testing/api-server.ts';
import { CURRENT_COST } from '../passwords/argon2id.ts';
import { PasswordCost, PasswordService } from '../passwords/password.service.ts';
import type { SignedIn } from '../sign-in-answer.ts';

/** Passes the rules, and is easy to find in a log. */
export const PASSWORD = 'canary-password-walks-the-dog';

/** Hashes cheaply from now on, or as in earnest. */
export function hashCheaply(server: ApiServer, isCheap = true): void {
  server.app.get(PasswordCost, { strict: false }).current = isCheap
    ? { memoryKib: 64, passes: 2, lanes: 1 }
    : CURRENT_COST;
}

/** A person with a password that is theirs already. @returns the account's id. */
export async function addPerson(
  server: ApiServer,
  name: string,
  options: { readonly role?: Role; readonly password?: string | null } = {},
): Promise<string> {
  const repository = server.app.get(AccessRepository);
  const passwords = server.app.get(PasswordService, { strict: false });
  const { role, password = PASSWORD } = options;
  const phc = password === null ? undefined : await passwords.hash(password, 'front');
  return server.database.tx('READ COMMITTED', async (sql) => {
    const account = await repository.createAccount(sql, { name, kind: 'person', createdBy: 'tests' });
    if (account === undefined) throw new Error(`there is a ${name} already`);
    if (role !== undefined)
      await repository.addGrant(sql, { accountId: account.id, role, selector: null, createdBy: 'tests' });
    if (phc !== undefined) await passwords.put(sql, account.id, phc);
    return account.id;
  });
}

/** POST /login, with the secret in the answer unless `fields` say otherwise. */
export function logIn(
  server: ApiServer,
  user: string,
  fields: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiAnswered<SignedIn & { code?: string; detail?: string; retryAfterSeconds?: number }>> {
  return server.call('POST', '/api/v1/login', {
    token: null,
    body: { user, password: PASSWORD, carrier: 'bearer', ...fields },
    headers,
  });
}
