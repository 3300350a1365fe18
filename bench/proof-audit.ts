import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { TestAuditLog } from '../services/server/src/audit/testing/audit-log.ts';
import { fillLog, mutate, type Mutated, verifyLog } from '../services/server/src/audit/testing/mutate.ts';
import { DatabaseService } from '../services/server/src/database/database.service.ts';
import { chooseServer, databasesOn } from '../services/server/src/testing/postgres-server.ts';
import { seededRandom } from '../tests/e2e/support/seeded-random.ts';
import { whole } from './whole.ts';

/** `npm run proof -- audit`: the full count of what services/server/src/audit/verify.itest.ts does a few times. */
export async function proveAudit(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31 - 1)) },
    },
  });
  const runs = whole('--runs', values.runs);
  const seed = whole('--seed', values.seed);
  const where = await measuredWhere();
  console.log(`seed ${seed}, ${runs} mutations; the same again: npm run proof -- audit --seed ${seed} --runs ${runs}`);
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const postgres = await databasesOn(await chooseServer());
  const folder = await mkdtemp(join(tmpdir(), 'modfleet-proof-audit-'));
  const file = join(folder, 'seals.jsonl');
  const database = new DatabaseService({ databaseUrl: (await postgres.createDatabase()).url, dbPoolSize: 10 });
  try {
    const log = new TestAuditLog(database);
    await fillLog(log, below, file);
    const before = await verifyLog(log, file);
    const done: Mutated[] = [];
    while (done.length < runs) {
      done.push(await mutate(log, below, file));
      if (done.length % 100 === 0) console.log(`${done.length} mutations`);
    }
    const missed = done.filter(({ found }) => !found);
    for (const { kind, what } of missed) console.log(`NOT FOUND: ${kind}: ${what}`);
    const untouched = before.intact && (await verifyLog(log, file)).intact;
    if (!untouched) console.log('the log that nobody touched was not found intact');
    const result = writeResult('proof-audit', {
      ...where,
      seed,
      rows: before.rows,
      seals: before.seals,
      unsealedRows: before.unsealedRows,
      untouchedIsIntact: untouched,
      mutations: done.length,
      found: done.length - missed.length,
      byKind: Object.fromEntries(
        [...new Set(done.map(({ kind }) => kind))].sort().map((kind) => {
          const of = done.filter((each) => each.kind === kind);
          const firsts = [...new Set(of.map(({ first }) => first ?? 'none'))].sort();
          return [kind, { mutations: of.length, found: of.filter(({ found }) => found).length, foundAs: firsts }];
        }),
      ),
      missed,
    });
    console.log(
      `${done.length} mutations, ${missed.length === 0 ? 'all found' : `${missed.length} NOT found`}; ${result}`,
    );
    return missed.length === 0 && untouched && done.length >= runs ? 0 : 1;
  } finally {
    await database.onApplicationShutdown();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}
