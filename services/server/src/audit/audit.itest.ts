import { createPublicKey, randomUUID } from 'node:crypto';
import { readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Problem } from '../api-types.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { AuditAlarms } from './audit-alarms.ts';
import type { SealedRow } from './audit.model.ts';
import { auditListSchema, auditVerifyLineSchema } from './audit.schema.ts';
import { AuditWatch } from './audit-watch.service.ts';
import { parseExportedLine } from './seal-line.ts';
import { SealVerifier } from './seal-key.ts';
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

describe('GET /api/v1/audit', () => {
  const list = (query: string) => server.read(`/audit${query}`, auditListSchema);

  it('lists rows newest first, in pages, by who, host, kmod, what, outcome and time', async () => {
    const id = await new Fleet(server.app).add({ name: 'listed' });
    await post('/actions', { ...unload('listed'), kmod: 'algif-aead' });
    await server.call('PATCH', '/api/v1/hosts', { body: { hosts: ['listed', id], labels: { a: 'b' } } });
    const ofHost = await list('?host=listed');
    expect(ofHost.items.map(({ what }) => what)).toEqual(['host.label', 'action.request']);
    expect(ofHost.items[1]).toMatchObject({ kmod: 'algif_aead', who: { kind: 'token', name: 'tests' }, intact: true });
    expect(ofHost.items[1]?.targets).toMatchObject({ count: 1, hosts: [id] });
    expect((await list('?kmod=algif-aead&what=action')).items).toEqual([ofHost.items[1]]);
    expect((await list('?what=action.request&outcome=frozen&who=tests')).items).toHaveLength(1);
    expect((await list(`?since=${new Date(Date.now() + 60_000).toISOString()}`)).items).toEqual([]);
    const all = await list('?limit=1000');
    const walked: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof list>> = await list(
        `?limit=7&until=${all.asOf}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      walked.push(...page.items.map((row) => row.id));
      cursor = page.nextCursor;
    }
    expect(new Set(walked).size).toBe(walked.length);
    expect(walked).toHaveLength(all.items.filter(({ at }) => at < all.asOf).length);
    expect(all.alarms).toEqual([]);
    expect((await server.call('GET', '/api/v1/audit?what=nothing')).body.code).toBe('query_invalid');
  });

  it('tells a name that nobody has from one that did nothing', async () => {
    await new Fleet(server.app).add({ name: 'quiet' });
    const asked = async (query: string) => (await server.call<Problem>('GET', `/api/v1/audit?${query}`)).body;
    expect((await list('?who=quiet&what=epoch.raise')).items).toEqual([]);
    const typo = await asked('who=quiett');
    expect([typo.status, typo.code, typo.candidates?.[0]]).toEqual([404, 'actor_unknown', 'quiet']);
    expect(typo.detail).toContain('nobody named "quiett" is in the audit log or known here');
    expect((await asked('who=tests&kmod=no_such_kmod')).code).toBe('kmod_unknown');
    const outcome = await asked('outcome=frozenn');
    expect([outcome.code, outcome.detail]).toEqual(['query_invalid', expect.stringContaining('did you mean frozen')]);
  });

  it('records exports of the inventory and of itself once a walk, and does not give what it cannot record', async () => {
    const exports = async () => (await rows()).filter(({ what }) => what === 'inventory.export').length;
    const before = await exports();
    await server.call('GET', '/api/v1/hosts');
    expect(await exports()).toBe(before);
    await server.call('GET', '/api/v1/hosts?limit=1000&selector=env=prod');
    await server.call('GET', '/api/v1/hosts?limit=1000&selector=env=prod');
    expect(await exports()).toBe(before + 1);
    expect(await newest('inventory.export')).toMatchObject({ object: '/api/v1/hosts', selector: 'env=prod' });
    expect(await rows('audit.export')).not.toEqual([]);
    await server.database.query('ALTER TABLE audit.entry RENAME TO lost');
    const refused = await server.call('GET', '/api/v1/kmods/floppy/hosts?limit=1000');
    await server.database.query('ALTER TABLE audit.lost RENAME TO entry');
    expect(refused.body.code).toBe('audit_unavailable');
  });

  it('has a row for each live question, before any host is asked', async () => {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/api/v1/queries',
      headers: {
        authorization: `Bearer ${server.token}`,
        'content-type': 'application/json',
        accept: 'application/x-ndjson',
      },
      payload: JSON.stringify({ kmods: ['floppy'], all: true, timeoutMs: 100 }),
    });
    expect(answer.statusCode).toBe(200);
    expect(await newest('inventory.ask')).toMatchObject({ selector: '--all', details: '{"kmods":["floppy"]}' });
  });
});

describe('the watch over the log', () => {
  const watch = () => server.app.get(AuditWatch);
  const alarms = () =>
    server.app
      .get(AuditAlarms)
      .list()
      .map(({ code }) => code);
  const file = () => join(server.stateDir, 'audit', 'seals.jsonl');
  const verify = async () => {
    const answer = await server.app.inject({
      method: 'GET',
      url: '/api/v1/audit/verify',
      headers: { authorization: `Bearer ${server.token}`, accept: 'application/x-ndjson' },
    });
    const lines = answer.payload
      .trim()
      .split('\n')
      .map((line) => auditVerifyLineSchema.parse(JSON.parse(line)));
    const last = lines.at(-1);
    if (last?.event !== 'report') throw new Error('no report');
    return last.data;
  };

  it('seals and exports, and the whole verifies, also for who has the public key alone', async () => {
    await watch().round();
    const report = await verify();
    expect(report).toMatchObject({
      intact: true,
      problems: [],
      unsealedRows: 0,
      unsealedAgeMs: null,
      macsChecked: true,
    });
    expect(report.exported?.last).toBe(report.lastSeal?.number);
    const lines = (await readFile(file(), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(report.seals);
    expect(await readFile(join(server.stateDir, 'audit', 'seal-public.pem'), 'utf8')).toBe(report.publicKey);
    const verifier = new SealVerifier(createPublicKey(report.publicKey));
    for (const text of lines) {
      const line = parseExportedLine(text);
      expect(line?.kind === 'seal' && verifier.proves(line.seal)).toBe(true);
    }
  });

  it('goes on with a full disk under the export, and says what is at risk', async () => {
    await watch().round();
    const before = await readFile(file());
    // What a full disk does to an append, on a folder that this test owns: /dev/full answers ENOSPC to every write.
    await rename(file(), `${file()}.kept`);
    await symlink('/dev/full', file());
    await post('/freeze', { reason: 'disk full' });
    await post('/thaw', {});
    await watch().round();
    expect(alarms()).toEqual(['export_failing']);
    expect((await server.read('/audit', auditListSchema)).alarms[0]?.text).toMatch(
      /ENOSPC.*actions go on.*rolls the database back/,
    );
    expect((await verify()).unsealedRows).toBe(0);
    await rm(file());
    await rename(`${file()}.kept`, file());
    await watch().round();
    expect(alarms()).toEqual([]);
    expect((await readFile(file())).length).toBeGreaterThan(before.length);
    expect(await verify()).toMatchObject({ intact: true });
  });

  it('notices rows that vanish before anybody verifies', async () => {
    await server.database.query('ALTER TABLE audit.entry DISABLE TRIGGER USER');
    await server.database.tx('READ COMMITTED', (sql) =>
      audit().record(sql, SERVER_SOURCE, { what: 'fleet.thaw', object: 'vanishes' }),
    );
    await server.database.query(`DELETE FROM audit.entry WHERE object = 'vanishes'`);
    await server.database.query('ALTER TABLE audit.entry ENABLE TRIGGER USER');
    await watch().round();
    expect(alarms()).toContain('rows_missing');
  });

  it('notices a database that was rolled back as a whole, and exports nothing more', async () => {
    const before = await readFile(file(), 'utf8');
    await server.database.query('ALTER TABLE audit.seal DISABLE TRIGGER USER');
    await server.database.query('DELETE FROM audit.seal WHERE number = (SELECT max(number) FROM audit.seal)');
    await server.database.query('ALTER TABLE audit.seal ENABLE TRIGGER USER');
    await post('/freeze', { reason: 'after the rollback' });
    await post('/thaw', {});
    await watch().round();
    expect(alarms()).toContain('rolled_back');
    expect(await readFile(file(), 'utf8')).toBe(before);
    expect((await verify()).problems.map(({ kind }) => kind)).toContain('export_differs');
  });
});
