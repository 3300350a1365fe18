import { randomUUID } from 'node:crypto';
import { AuditService } from '../../services/server/src/audit/audit.service.ts';
import { AuditWatch } from '../../services/server/src/audit/audit-watch.service.ts';
import { SERVER_SOURCE } from '../../services/server/src/audit/audit-source.ts';
import { SealSigner } from '../../services/server/src/audit/seal-key.ts';
import { Sealer } from '../../services/server/src/audit/sealer.ts';
import { verifyAudit } from '../../services/server/src/audit/verify.ts';
import { ServerKeys } from '../../services/server/src/keys/server-keys.ts';
import { REPLICA_ID } from '../../services/server/src/presence/replica-id.ts';
import type { ApiServer } from '../../services/server/src/testing/api-server.ts';
import { median } from './rates.ts';

const BATCH = 2_000;

async function write(server: ApiServer, rows: number): Promise<void> {
  const audit = server.app.get(AuditService);
  for (let left = rows; left > 0; left -= BATCH) {
    const decisions = Array.from({ length: Math.min(left, BATCH) }, () => ({
      what: 'action.request' as const,
      object: randomUUID(),
      kmod: 'floppy',
      hosts: [randomUUID()],
      reason: 'bench',
      details: { verb: 'unload' },
    }));
    await audit.recordAlone(SERVER_SOURCE, ...decisions);
  }
}

/** Median time of one seal over `rows` rows, ms. */
export async function measureSealing(server: ApiServer, rows: number, rounds: number): Promise<number> {
  const signer = new SealSigner(server.app.get(ServerKeys).sealKey('audit-seal'));
  const sealer = new Sealer(server.database, server.app.get<string>(REPLICA_ID), signer);
  const times: number[] = [];
  while (times.length < rounds) {
    await server.app.get(AuditWatch).round();
    // In one transaction, so that the server's own round finds none or all of them.
    await server.database.tx('READ COMMITTED', async (sql) => {
      const audit = server.app.get(AuditService);
      const one = { what: 'action.request' as const, kmod: 'floppy', hosts: [randomUUID()], reason: 'bench' };
      for (let left = rows; left > 0; left -= BATCH)
        await audit.record(
          sql,
          SERVER_SOURCE,
          ...Array.from({ length: Math.min(left, BATCH) }, () => ({ ...one, object: randomUUID() })),
        );
    });
    const started = performance.now();
    const sealed = await sealer.round();
    // The server's own round may have been faster: then it is measured again.
    if (sealed.rows === rows) times.push(performance.now() - started);
  }
  return median(times);
}

/** A log of at least `rows` rows, verified once, as the server does. */
export async function measureVerify(
  server: ApiServer,
  rows: number,
): Promise<{ rows: number; seals: number; ms: number; intact: boolean; grewMb: number }> {
  const keys = server.app.get(ServerKeys);
  const [there] = await server.database.query<{ rows: number }>('SELECT count(*) AS rows FROM audit.entry');
  await write(server, Math.max(0, rows - (there?.rows ?? 0)));
  await server.app.get(AuditWatch).round();
  const before = process.memoryUsage.rss();
  const report = await verifyAudit(server.database, {
    verifier: new SealSigner(keys.sealKey('audit-seal')).verifier,
    macKey: keys.sealKey('audit'),
  });
  return {
    rows: report.rows,
    seals: report.seals,
    ms: report.durationMs,
    intact: report.intact,
    grewMb: (process.memoryUsage.rss() - before) / 2 ** 20,
  };
}
