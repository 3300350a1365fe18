import { writeFile } from 'node:fs/promises';
import { verifyIn } from '../verify.ts';
import { ExportedFile } from '../verify-export.ts';
import type { VerifyReport } from '../verify.model.ts';
import type { Random, TestAuditLog } from './audit-log.ts';
import { MUTATIONS } from './mutations.ts';

export interface Mutated {
  readonly kind: string;
  /** What was done. */
  readonly what: string;
  readonly found: boolean;
  /** The kind of the first problem. */
  readonly first: string | null;
}

class Undo extends Error {}

/**
 * Three servers' log of some hundred rows, with seals, rows that have none yet, and the exported file at `path`.
 */
export async function fillLog(log: TestAuditLog, random: Random, path: string): Promise<void> {
  for (let replica = 0; replica < 3; replica += 1) log.replica();
  for (let round = 0; round < 12; round += 1) {
    await log.decide(random, 10 + random(20));
    await log.seal(random(3));
  }
  await log.decide(random, 40);
  await writeFile(path, await log.exportedText());
}

/** As the server verifies, with its keys and the exported file. */
export async function verifyLog(log: TestAuditLog, path: string): Promise<VerifyReport> {
  return log.database.tx('REPEATABLE READ', (sql) =>
    verifyIn(sql, { verifier: log.signer.verifier, macKey: log.macKey, exported: new ExportedFile(path) }),
  );
}

/** Does one mutation with every right in the database (triggers off), verifies, and undoes it. */
export async function mutate(log: TestAuditLog, random: Random, path: string): Promise<Mutated> {
  for (;;) {
    const kind = drawn(random);
    const [, mutation] = MUTATIONS[kind] ?? [];
    let mutated: Mutated | undefined;
    await log.database
      .tx('REPEATABLE READ', async (sql) => {
        await sql.query('SET LOCAL session_replication_role = replica');
        const what = await mutation?.(sql, random);
        if (what !== undefined) {
          const report = await verifyIn(sql, {
            verifier: log.signer.verifier,
            macKey: log.macKey,
            exported: new ExportedFile(path),
          });
          mutated = { kind, what, found: !report.intact, first: report.problems[0]?.kind ?? null };
        }
        throw new Undo();
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undo)) throw error;
      });
    if (mutated !== undefined) return mutated;
  }
}

function drawn(random: Random): string {
  const kinds = Object.entries(MUTATIONS);
  let left = random(kinds.reduce((sum, [, [weight]]) => sum + weight, 0));
  for (const [kind, [weight]] of kinds) {
    if (left < weight) return kind;
    left -= weight;
  }
  throw new Error('the weights do not add up');
}
