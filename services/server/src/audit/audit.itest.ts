import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { Problem } from '../api-types.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import type { SealedRow } from './audit.model.ts';
import { SERVER_SOURCE } from './audit-source.ts';
import { selectRows } from './audit-read.queries.ts';
import { AuditService } from './audit.service.ts';
import { rowBytes, rowMac, targetRoot } from './row-bytes.ts';

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const rows = async (what?: string): Promise<SealedRow[]> =>
  (await selectRows(server.database, {})).filter((row) => what === undefined || row.what === what);
const newest = async (what: string): Promise<SealedRow> => {
  const [row] = await rows(what);
  if (row === undefined) throw new Error(`no row ${what}`);
  return row;
};
const post = <T = Problem>(path: string, body: unknown, headers = {}) =>
  server.call<T>('POST', `/api/v1${path}`, { body, headers });
const unload = (host: string) => ({ host, verb: 'unload', kmod: 'floppy', reason: 'CVE-2026-31431' });
const audit = () => server.app.get(AuditService);

describe('the audit log', () => {
  const fleet = () => new Fleet(server.app);

  it('has one row for each decision: who, from where, what, targets, outcome, under the mac', async () => {
    const id = await fleet().add({ name: 'audited' });
    const answer = await post<{ id: string }>('/actions', unload('audited'), { 'idempotency-key': 'key-1' });
    const row = await newest('action.request');
    expect(row).toMatchObject({
      actorKind: 'token',
      actorName: 'tests',
      via: 'http',
      address: '127.0.0.1',
      requestId: answer.headers['x-request-id'],
      object: answer.body.id,
      kmod: 'floppy',
      hostIds: [id],
      targetCount: 1,
      reason: 'CVE-2026-31431',
      outcome: 'allowed',
    });
    expect(row.targetRoot).toEqual(targetRoot([id]));
    expect(row.mac).toEqual(rowMac(server.app.get(ServerKeys).sealKey('audit'), rowBytes(row)));
    expect(JSON.parse(row.details ?? '')).toMatchObject({ host: 'audited', verb: 'unload' });
  });

  it('has nothing for a repetition, for a mistake, and a row for a refusal that was decided', async () => {
    await fleet().add({ name: 'repeated' });
    const key = { 'idempotency-key': randomUUID() };
    const before = (await rows()).length;
    await post('/actions', unload('repeated'), key);
    await post('/actions', unload('repeated'), key);
    await post('/actions', unload('no-such-host'));
    expect(await rows()).toHaveLength(before + 1);
    await fleet().add({ name: 'held', quarantined: 'clone' });
    expect((await post('/actions', unload('held'))).body.code).toBe('host_quarantined');
    expect(await newest('action.request')).toMatchObject({ outcome: 'host_quarantined', object: null, hostIds: [] });
  });

  it('knows every kind of change', async () => {
    const id = await fleet().add({ name: 'changed', labels: { env: 'prod' } });
    const action = await post<{ id: string }>('/actions', unload(id));
    await post(`/actions/${action.body.id}/cancel`, {});
    await server.call('PATCH', '/api/v1/hosts', { body: { selector: 'env=prod', labels: { env: 'test' } } });
    await server.call('DELETE', `/api/v1/hosts/${id}`, { body: { reason: 'gone' } });
    const token = await post<{ id: string }>('/join-tokens', { name: 'rack 4' });
    await server.call('DELETE', `/api/v1/join-tokens/${token.body.id}`, {});
    await post('/freeze', { reason: 'CVE' });
    expect((await post('/actions', unload(id))).body.code).toBe('frozen');
    await post('/thaw', {});
    const seen = (await rows()).reverse().slice(-9);
    expect(seen.map(({ what, outcome }) => `${what} ${outcome}`)).toEqual([
      'action.request allowed',
      'action.cancel allowed',
      'host.label allowed',
      'host.retire allowed',
      'join_token.create allowed',
      'join_token.revoke allowed',
      'fleet.freeze allowed',
      'action.request frozen',
      'fleet.thaw allowed',
    ]);
    expect(seen[2]).toMatchObject({ selector: 'env=prod', hostIds: [id], details: '{"labels":{"env":"test"}}' });
    expect(seen[3]).toMatchObject({ reason: 'gone', object: id });
  });
});

describe('numbers', () => {
  it('have no gaps, although transactions are rolled back', async () => {
    const work = (index: number) =>
      server.database
        .tx('READ COMMITTED', async (sql) => {
          await audit().record(sql, SERVER_SOURCE, { what: 'fleet.thaw', object: `gap ${index}` });
          if (index % 3 === 0) throw new Error('rolled back');
          if (index % 5 === 0)
            await audit().record(sql, SERVER_SOURCE, { what: 'fleet.thaw', object: `gap ${index}b` });
        })
        .catch(() => undefined);
    await Promise.all(Array.from({ length: 200 }, (_, index) => work(index)));
    const lanes = await server.database.query<{ gaps: number; lanes: number }>(
      `SELECT sum(last - count)::int AS gaps, count(*)::int AS lanes
         FROM (SELECT max(number) AS last, count(*) AS count FROM audit.entry GROUP BY replica_id, lane) AS lane`,
    );
    expect(lanes[0]?.gaps).toBe(0);
    expect(lanes[0]?.lanes).toBeGreaterThan(1);
    expect(
      audit()
        .heads()
        .reduce((sum, { head }) => sum + head, 0),
    ).toBe((await rows()).length);
  });

  it('are not given out outside a transaction', async () => {
    await expect(audit().record(server.database, SERVER_SOURCE, { what: 'fleet.thaw' })).rejects.toThrow(/transaction/);
  });
});

describe('no audit row, no action', () => {
  let restore: string[] = [];
  afterEach(async () => {
    for (const statement of restore.splice(0)) await server.database.query(statement);
  });
  const stored = async () => (await server.database.query('SELECT id FROM action')).length;

  it.each([
    ['is gone', 'ALTER TABLE audit.entry RENAME TO lost', 'ALTER TABLE audit.lost RENAME TO entry'],
    [
      'is read-only',
      `CREATE TRIGGER no_insert BEFORE INSERT ON audit.entry FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()`,
      'DROP TRIGGER no_insert ON audit.entry',
    ],
    [
      'has no room on the disk',
      `CREATE FUNCTION audit.disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
       CREATE TRIGGER disk_full BEFORE INSERT ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.disk_full()`,
      'DROP TRIGGER disk_full ON audit.entry; DROP FUNCTION audit.disk_full',
    ],
  ])('when the table %s', async (_case, breaks, mends) => {
    const name = `named ${randomUUID()}`;
    const id = await new Fleet(server.app).add({ name });
    const before = await stored();
    restore = [mends];
    await server.database.query(breaks);
    expect((await post('/actions', unload(name))).body.code).toBe('audit_unavailable');
    expect((await post('/freeze', { reason: 'x' })).body.code).toBe('audit_unavailable');
    expect((await server.call('DELETE', `/api/v1/hosts/${id}`, { body: {} })).body.code).toBe('audit_unavailable');
    await expect(server.database.query('SELECT 1 FROM fleet_freeze WHERE frozen')).resolves.toEqual([]);
    await expect(
      server.database.query('SELECT 1 FROM host WHERE id = $1 AND retired_at IS NULL', [id]),
    ).resolves.toHaveLength(1);
    expect(await stored()).toBe(before);
    for (const statement of restore.splice(0)) await server.database.query(statement);
    expect((await post('/actions', unload(name))).status).toBe(202);
  });

  it('also where somebody swallows the failure', async () => {
    const swallowed = server.database.tx('READ COMMITTED', async (sql) => {
      await sql.query(`UPDATE fleet_freeze SET reason = 'never'`);
      await sql.query('SELECT 1 / 0').catch(() => undefined);
      return 'done';
    });
    await expect(swallowed).rejects.toThrow(/rolled back/);
  });
});

it('refuses to change or remove rows', async () => {
  for (const table of ['audit.entry', 'audit.seal'])
    for (const statement of [`DELETE FROM ${table}`, `TRUNCATE ${table}`, `UPDATE ${table} SET at = now()`])
      await expect(server.database.query(statement)).rejects.toThrow(/append-only/);
});
