import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { startTestPostgres } from '../testing/postgres.ts';
import { AccessRepository } from './access.repository.ts';
import { mintApiToken } from './api-token.ts';
import { sealOnce } from './first-seal.ts';
import { isRefusal, principalOfToken } from './principal.ts';
import { tokenWithAccount } from './principal.queries.ts';

let database: DatabaseService;
onTestDatabase((databaseUrl) => {
  database = new DatabaseService({ databaseUrl, dbPoolSize: 2 });
  return Promise.resolve({ stop: () => database.onApplicationShutdown() });
});
const folder = join(mkdtempSync(join(tmpdir(), 'modfleet-first-seal-')), 'keys');
afterAll(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

/** A token as migration 0008 leaves one of before, with its account and grant. */
async function migratedToken(name: string): Promise<Buffer> {
  const { prefix, hash } = mintApiToken();
  const accountId = randomUUID();
  await database.query(`INSERT INTO account (id, name, kind) VALUES ($1, $2, 'service')`, [accountId, name]);
  await database.query(`INSERT INTO access_grant (id, account_id, role) VALUES ($1, $2, 'admin')`, [
    randomUUID(),
    accountId,
  ]);
  await database.query(
    `INSERT INTO api_token (id, name, prefix, hash, account_id, expires_at) VALUES ($1, $2, $3, $4, $5, now() + interval '1 hour')`,
    [randomUUID(), name, prefix, hash, accountId],
  );
  return hash;
}

async function standing(hash: Buffer, repository: AccessRepository): Promise<string> {
  const token = await tokenWithAccount(database, hash);
  if (token === undefined) throw new Error('no such token');
  const found = principalOfToken(token, repository.seals);
  return isRefusal(found) ? found.code : found.grants.map((grant) => grant.role).join();
}

describe('sealOnce', () => {
  it('seals what the migration made, once; what is put there without a seal later gives nothing', async () => {
    const repository = new AccessRepository(ServerKeys.open(folder, undefined));
    const before = await migratedToken('before');
    expect(await standing(before, repository)).toBe('access_seal_broken');
    expect(await sealOnce({ folder, name: 'access-sealed' }, repository, database)).toBe(3);
    expect(await standing(before, repository)).toBe('admin');
    const after = await migratedToken('after');
    expect(await sealOnce({ folder, name: 'access-sealed' }, repository, database)).toBe(0);
    expect(await standing(after, repository)).toBe('access_seal_broken');
  });
});

describe('migration 0008', () => {
  it('makes an account with the whole fleet of each token of before, and every one of them goes on working', async () => {
    const postgres = await startTestPostgres();
    const { url } = await postgres.createEmptyDatabase();
    const old = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
    try {
      const migrations = new URL('../../prisma/migrations/', import.meta.url);
      const names = readdirSync(migrations)
        .filter((name) => /^\d{4}_/.test(name))
        .sort();
      const apply = (name: string) =>
        old.pool.query(readFileSync(new URL(`${name}/migration.sql`, migrations), 'utf8'));
      for (const name of names.filter((each) => each < '0008')) await apply(name);
      const tokens = ['admin', 'ci', 'ci', 'two words', 'token-x'].map((name) => ({ name, ...mintApiToken() }));
      for (const { name, prefix, hash } of tokens)
        await old.query(
          `INSERT INTO api_token (id, name, prefix, hash, expires_at) VALUES ($1, $2, $3, $4, now() + interval '1 hour')`,
          [randomUUID(), name, prefix, hash],
        );
      // The server migrates to the newest before it seals.
      for (const name of names.filter((each) => each >= '0008')) await apply(name);
      const keys = join(folder, '..', 'other');
      const repository = new AccessRepository(ServerKeys.open(keys, undefined));
      await sealOnce({ folder: keys, name: 'access-sealed' }, repository, old);
      const found = await Promise.all(tokens.map(async ({ hash }) => tokenWithAccount(old, hash)));
      const principals = found.map((token) =>
        token === undefined ? undefined : principalOfToken(token, repository.seals),
      );
      for (const principal of principals)
        expect(principal).toMatchObject({ grants: [{ role: 'admin', selector: null }] });
      const accounts = principals.map((principal) =>
        principal !== undefined && 'name' in principal ? principal.name : '',
      );
      expect(accounts[0]).toBe('admin');
      expect(accounts.slice(1).every((name) => /^token-[0-9a-f-]{36}$/.test(name))).toBe(true);
      expect(new Set(accounts).size).toBe(tokens.length);
    } finally {
      await old.onApplicationShutdown();
      await postgres.close();
    }
  });
});
