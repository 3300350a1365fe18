import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AccountItem, AccountList, Me } from '../api-types.ts';
import { DatabaseService } from '../database/database.service.ts';
import { addPerson, hashCheaply, logIn } from '../sign-in/testing/people.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { startTestPostgres } from '../testing/postgres.ts';
import { testCaller } from '../testing/test-access.ts';
import { AccessRepository } from './access.repository.ts';
import { TwinNames } from './twin-names.service.ts';

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

describe('a name of an account', () => {
  it('is given once, whatever its upper and lower case, and is looked up as it is written', async () => {
    const admin = await testCaller(server.app, [['admin', null]]);
    const make = (name: string) =>
      server.call<AccountItem & { detail?: string }>('POST', '/api/v1/accounts', {
        body: { name },
        token: admin.token,
      });
    expect((await make('Kim')).status).toBe(201);
    for (const name of ['kim', 'KIM', 'Kim'])
      expect((await make(name)).body).toMatchObject({
        status: 409,
        code: 'account_exists',
        detail: expect.stringMatching(/^there is an account Kim already; .*upper and lower case$/),
      });
    const disable = (name: string) =>
      server.call('POST', `/api/v1/accounts/${name}/disable`, { body: {}, token: admin.token });
    expect((await disable('kim')).body).toMatchObject({ code: 'account_not_found' });
    expect((await disable('Kim')).body).toMatchObject({ name: 'Kim' });
  });

  it('is given once also when many ask at the same moment', async () => {
    const admin = await testCaller(server.app, [['admin', null]]);
    const names = ['Deploy', 'deploy', 'DEPLOY', 'dePloy', 'depLoy'];
    const made = await Promise.all(
      names.map((name) => server.call('POST', '/api/v1/accounts', { body: { name }, token: admin.token })),
    );
    expect(made.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
  });
});

describe('names of before, that differ in case alone', () => {
  it('are told apart at the start: one keeps it, the others get another, sealed, audited, and what they may stays', async () => {
    hashCheaply(server);
    await addPerson(server, 'Robin', { role: 'viewer' });
    const taken = await testCaller(server.app, [], { name: 'robin-2' });
    const twin = await testCaller(server.app, [['operator', null]], { name: 'robin-x' });
    // As migration 0011 leaves it: the seal is over the name that it had.
    const { seals } = server.app.get(AccessRepository);
    await server.database.query('UPDATE account SET name = $2, name_twin = true, seal = $3 WHERE id = $1', [
      twin.accountId,
      'robin',
      seals.account({ id: twin.accountId, name: 'robin', kind: 'service', disabledAt: null }),
    ]);
    const names = server.app.get(TwinNames, { strict: false });
    expect(await names.part()).toEqual([{ id: twin.accountId, from: 'robin', to: 'robin-3' }]);
    expect(await names.part()).toEqual([]);
    const me = (await server.call<Me>('GET', '/api/v1/me', { token: twin.token })).body;
    expect(me).toMatchObject({ account: { name: 'robin-3' }, grants: [{ role: 'operator' }] });
    expect((await logIn(server, 'Robin')).status).toBe(200);
    expect((await logIn(server, 'robin')).body).toMatchObject({ code: 'login_failed' });
    expect(taken.name).toBe('robin-2');
    const audited = await server.database.query(
      `SELECT actor_kind, object, details FROM audit.entry WHERE what = 'account.rename'`,
    );
    expect(audited).toEqual([
      { actor_kind: 'server', object: twin.accountId, details: '{"from":"robin","to":"robin-3"}' },
    ]);
  });

  it('are left where a row was changed outside the server: another name would make it whole', async () => {
    await testCaller(server.app, [], { name: 'Sam' });
    const admin = await testCaller(server.app, [['admin', null]]);
    const twin = await testCaller(server.app, [['admin', null]], { name: 'sam-x' });
    await server.database.query(`UPDATE account SET name = 'sam', name_twin = true WHERE id = $1`, [twin.accountId]);
    expect(await server.app.get(TwinNames, { strict: false }).part()).toEqual([]);
    const { items } = (await server.call<AccountList>('GET', '/api/v1/accounts', { token: admin.token })).body;
    expect(items.find(({ name }) => name === 'sam')).toMatchObject({ sealed: false });
  });
});

describe('a server that starts on a database of before', () => {
  it('seals what was there, and then tells names apart', async () => {
    const postgres = await startTestPostgres();
    const { url } = await postgres.createDatabase();
    const old = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
    await old.query(
      `INSERT INTO account (id, name, kind, name_twin) VALUES (gen_random_uuid(), 'CI', 'service', false), (gen_random_uuid(), 'ci', 'service', true)`,
    );
    await old.onApplicationShutdown();
    const started = await ApiServer.start(url);
    try {
      const { items } = (await started.call<AccountList>('GET', '/api/v1/accounts')).body;
      const named = items.filter(({ name }) => /^ci/i.test(name)).map(({ name, sealed }) => [name, sealed]);
      expect(named.sort()).toEqual([
        ['CI', true],
        ['ci-2', true],
      ]);
      const audited = await started.database.query(`SELECT details FROM audit.entry WHERE what = 'account.rename'`);
      expect(audited).toEqual([{ details: '{"from":"ci","to":"ci-2"}' }]);
    } finally {
      await started.stop();
      await postgres.close();
    }
  });
});

describe('migration 0011', () => {
  it('marks all but one of each name: the enabled before the disabled, then the oldest', async () => {
    const postgres = await startTestPostgres();
    const { url } = await postgres.createEmptyDatabase();
    const old = new DatabaseService({ databaseUrl: url, dbPoolSize: 2 });
    try {
      const migrations = new URL('../../prisma/migrations/', import.meta.url);
      const apply = (name: string) =>
        old.pool.query(readFileSync(new URL(`${name}/migration.sql`, migrations), 'utf8'));
      const names = readdirSync(migrations)
        .filter((name) => /^\d{4}_/.test(name))
        .sort();
      for (const name of names.filter((each) => each < '0011')) await apply(name);
      const rows: [name: string, days: number, disabled: boolean][] = [
        ['Kim', 9, true],
        ['kim', 5, false],
        ['KIM', 7, false],
        ['alone', 1, false],
        ['Ops', 1, false],
        ['ops', 2, false],
      ];
      for (const [name, days, disabled] of rows)
        await old.query(
          `INSERT INTO account (id, name, kind, created_at, disabled_at)
           VALUES ($1, $2, 'person', now() - make_interval(days => $3), CASE WHEN $4 THEN now() END)`,
          [randomUUID(), name, days, disabled],
        );
      await apply('0011_account_names');
      const marked = await old.query<{ name: string }>('SELECT name FROM account WHERE name_twin ORDER BY created_at');
      expect(marked.map(({ name }) => name)).toEqual(['Kim', 'kim', 'Ops']);
      await expect(
        old.query(`INSERT INTO account (id, name, kind) VALUES ($1, 'ALONE', 'person')`, [randomUUID()]),
      ).rejects.toThrow(/account_name_folded_key/);
    } finally {
      await old.onApplicationShutdown();
      await postgres.close();
    }
  });
});
