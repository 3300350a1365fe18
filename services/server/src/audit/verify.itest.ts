import { createSecretKey } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DatabaseService } from '../database/database.service.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { SERVER_SOURCE } from './audit-source.ts';
import { selectLastSeal } from './seal.queries.ts';
import { SealSigner } from './seal-key.ts';
import { TestAuditLog } from './testing/audit-log.ts';
import { fillLog, mutate, verifyLog } from './testing/mutate.ts';
import { verifyAudit, verifyIn } from './verify.ts';

/** Park and Miller's generator: the same draws for the same seed. */
function seeded(seed: number): (below: number) => number {
  let state = (seed % 2147483646) + 1;
  return (below) => (state = (state * 48271) % 2147483647) % below;
}

let log: TestAuditLog;
let folder: string;
let file: string;
onTestDatabase(async (databaseUrl) => {
  const database = new DatabaseService({ databaseUrl, dbPoolSize: 10 });
  log = new TestAuditLog(database);
  return { stop: () => database.onApplicationShutdown() };
});
const seed = Date.now() % 1_000_000;
const random = seeded(seed);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'modfleet-verify-'));
  file = join(folder, 'seals.jsonl');
  await fillLog(log, random, file);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('verification', () => {
  it('finds an untouched log intact, and says how much of it has seals', async () => {
    const report = await verifyLog(log, file);
    expect(report).toMatchObject({ intact: true, problems: [], seals: 12, macsChecked: true });
    expect(report.rows).toBe(report.sealedRows + report.unsealedRows);
    expect(report.unsealedRows).toBeGreaterThan(10);
    expect(report.exported).toMatchObject({ seals: 12, last: 12 });
    // The tests' role is a superuser.
    expect(report.appendOnly).toMatchObject({ enforced: false, why: expect.stringContaining('superuser') });
  });

  it(`finds every mutation (seed ${seed}; npm run proof -- audit makes 1,000)`, async () => {
    for (let run = 0; run < 60; run += 1) {
      const mutated = await mutate(log, random, file);
      expect(mutated).toMatchObject({ found: true });
    }
    expect((await verifyLog(log, file)).intact).toBe(true);
  });

  it('names the first bad row', async () => {
    const undo = new Error('undo');
    const tampered = log.database.tx('REPEATABLE READ', async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      const [row] = await sql.query<{ name: string }>(
        // Which rows a lane has is drawn when the log is filled.
        `UPDATE audit.entry SET actor_name = 'somebody else'
          WHERE (replica_id, lane, number) = (SELECT replica_id, lane, number FROM audit.entry ORDER BY at, replica_id, lane, number LIMIT 1)
         RETURNING replica_id || '.' || lane || '.' || number AS name`,
      );
      expect(row).toBeDefined();
      const report = await verifyIn(sql, { verifier: log.signer.verifier, macKey: log.macKey });
      expect(report).toMatchObject({ intact: false, problemCount: 1, firstBadRow: row?.name });
      throw undo;
    });
    await expect(tampered).rejects.toBe(undo);
  });

  it('needs only the public key for the seals, and then leaves the macs out', async () => {
    const report = await verifyAudit(log.database, { verifier: log.signer.verifier, macKey: null });
    expect(report).toMatchObject({ intact: true, macsChecked: false, exported: null });
    const other = await verifyAudit(log.database, {
      verifier: new SealSigner(createSecretKey(Buffer.alloc(32, 1))).verifier,
      macKey: null,
    });
    expect(other).toMatchObject({
      intact: false,
      problems: expect.arrayContaining([expect.objectContaining({ kind: 'seal_changed', seal: 1 })]),
    });
  });

  it('finds a file that was changed, and takes one that two processes wrote', async () => {
    const text = await readFile(file, 'utf8');
    const [first = '', second = ''] = text.split('\n');
    await writeFile(file, `${first}\n${second}\n${first}\n${second}\n${text}`);
    expect((await verifyLog(log, file)).intact).toBe(true);
    await writeFile(file, text.replace('"rows":', '"rows":1'));
    expect((await verifyLog(log, file)).problems[0]).toMatchObject({ kind: 'export_damaged' });
    await writeFile(file, text);
    await appendFile(
      file,
      '{"heads":{"0":999999},"at":"2026-11-29T00:00:00.000Z","replica":"' + (log.replicas[0]?.id ?? '') + '"}\n',
    );
    expect((await verifyLog(log, file)).problems[0]).toMatchObject({ kind: 'export_differs' });
    await writeFile(file, text);
  });
});

describe('the sealer', () => {
  it('is one of several replicas at a time, and the term counts who', async () => {
    await log.decide(random, 30);
    await log.database.query(`UPDATE audit_lease SET expires_at = '-infinity'`);
    const before = await selectLastSeal(log.database);
    const rounds = await Promise.all(log.replicas.map(({ sealer }) => sealer.round()));
    expect(rounds.filter(({ mine }) => mine)).toHaveLength(1);
    const after = await selectLastSeal(log.database);
    expect(after?.number).toBe((before?.number ?? 0) + 1);
    await writeFile(file, await log.exportedText());
    expect(await verifyLog(log, file)).toMatchObject({ intact: true, unsealedRows: 0, unsealedAgeMs: null });
  });

  it('goes on where one that died in the middle of a seal left off', async () => {
    await log.decide(random, 10);
    await log.database.query(`UPDATE audit_lease SET expires_at = '-infinity'`);
    await log.database
      .query(`CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$;
      CREATE TRIGGER dies BEFORE UPDATE ON audit_lane FOR EACH ROW EXECUTE FUNCTION dies()`);
    const before = await selectLastSeal(log.database);
    await expect(log.replicas[0]?.sealer.round()).rejects.toThrow('killed');
    expect(await selectLastSeal(log.database)).toEqual(before);
    await log.database.query('DROP TRIGGER dies ON audit_lane');
    await log.seal(1);
    await writeFile(file, await log.exportedText());
    expect(await verifyLog(log, file)).toMatchObject({ intact: true, unsealedRows: 0 });
  });

  it('says when a row was removed before its seal', async () => {
    const replica = log.replicas[2];
    const record = (object: string) => replica?.audit.recordAlone(SERVER_SOURCE, { what: 'fleet.thaw', object });
    await record('one');
    await record('two');
    await log.database.query(`ALTER TABLE audit.entry DISABLE TRIGGER USER`);
    const [gone] = await log.database.query<{ name: string }>(
      `DELETE FROM audit.entry WHERE object = 'one' RETURNING replica_id || '.' || lane || '.' || number AS name`,
    );
    await log.database.query(`ALTER TABLE audit.entry ENABLE TRIGGER USER`);
    await log.database.query(`UPDATE audit_lease SET expires_at = '-infinity'`);
    expect(await replica?.sealer.round()).toMatchObject({ mine: true, rows: 1, gaps: [gone?.name] });
    await writeFile(file, await log.exportedText());
    expect(await verifyLog(log, file)).toMatchObject({ intact: false, firstBadRow: gone?.name });
  });
});
