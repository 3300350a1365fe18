import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../scripts/lib/embedded-postgres.mjs';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { AuditService } from '../services/server/src/audit/audit.service.ts';
import { AuditWatch } from '../services/server/src/audit/audit-watch.service.ts';
import { SERVER_SOURCE } from '../services/server/src/audit/audit-source.ts';
import { migrate } from '../services/server/src/database/migrate.ts';
import { ApiServer } from '../services/server/src/testing/api-server.ts';
import { Fleet } from '../services/server/src/testing/fleet.ts';
import { measureHttp, measureStoring, type Rate } from './audit/rates.ts';
import { measureSealing, measureVerify } from './audit/sealing.ts';
import { type Figure, figure, figureTable } from './figures.ts';
import { whole } from './whole.ts';

/** What the issue asks for: actions a second with auditing on. */
const WANTED_RATE = 5_000;
/** One batch of 10,000 rows, as it was measured when this was designed. */
const SEAL_MS = 91;

/** `npm run bench -- audit`: what the audit log costs. Durable as in production: fsync and synchronous_commit are on. */
export async function benchAudit(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { 'verify-rows': { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
  });
  const rounds = whole('--rounds', values.rounds);
  const verifyRows = whole('--verify-rows', values['verify-rows']);
  const where = await measuredWhere();
  const folder = await mkdtemp(join(tmpdir(), 'modfleet-bench-audit-'));
  const postgres = await startEmbeddedPostgres(folder);
  try {
    const url = postgres.url();
    await migrate(url);
    const server = await ApiServer.start(url, { MODFLEET_DB_POOL_SIZE: '12' });
    const figures: Figure[] = [];
    try {
      const hosts = await addHosts(server);
      const say = (name: string, rate: Rate, reach: number | null): void => {
        figures.push(
          atLeast(
            `${name}, auditing on`,
            rate.on,
            reach,
            `median of ${rounds} rounds; off ${Math.round(rate.off)}/s: ${Math.round((rate.on / rate.off) * 100)} % of it; CPU of the server's process ${Math.round(rate.onCpuUs)} µs an action, off ${Math.round(rate.offCpuUs)}`,
          ),
        );
        console.log(`${name}: on ${Math.round(rate.on)}/s, off ${Math.round(rate.off)}/s`);
      };
      say('POST /api/v1/actions over HTTP, 16 at once', await measureHttp(server, hosts, rounds), null);
      say(
        'one action, one decision, one transaction, 10 at once',
        await measureStoring(server, hosts, rounds, 1, 'each'),
        null,
      );
      say(
        '500 actions a transaction, a decision for each, 4 at once',
        await measureStoring(server, hosts, rounds, 500, 'each'),
        WANTED_RATE,
      );
      say(
        '500 actions a transaction, one decision for all, 4 at once',
        await measureStoring(server, hosts, rounds, 500, 'one'),
        WANTED_RATE,
      );
      const sealing = await measureSealing(server, 10_000, rounds);
      figures.push(
        figure(
          'sealing 10,000 rows in one batch',
          sealing,
          'ms',
          SEAL_MS,
          `median of ${rounds}; rows read, hashed, signed, stored`,
          0,
        ),
      );
      const verified = await measureVerify(server, verifyRows);
      figures.push(
        figure(
          `verifying ${verified.rows} rows and ${verified.seals} seals`,
          verified.ms / 1000,
          's',
          null,
          `${verified.intact ? 'intact' : 'NOT intact'}; the process grew by ${Math.round(verified.grewMb)} MB`,
          1,
        ),
      );
    } finally {
      await server.stop();
    }
    keepFigures('audit', 'all', where, figures);
    console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(figures)}\n`);
    console.log(resultFile('audit'));
    return figures.some(({ holds }) => holds === false) ? 1 : 0;
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A rate has to be at least its reach. */
function atLeast(name: string, value: number, reach: number | null, note: string): Figure {
  return { ...figure(name, value, '/s', null, note, 0), reach, holds: reach === null ? null : value >= reach };
}

async function addHosts(server: ApiServer): Promise<string[]> {
  const fleet = new Fleet(server.app);
  const ids: string[] = [];
  for (let each = 0; each < 50; each += 1)
    ids.push(await fleet.add({ name: `bench-${each}-${randomUUID().slice(0, 8)}` }));
  // The first statement of a connection costs more than the others.
  await server.app.get(AuditService).recordAlone(SERVER_SOURCE, { what: 'fleet.thaw' });
  await server.app.get(AuditWatch).round();
  return ids;
}
