import { createSecretKey, randomUUID } from 'node:crypto';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { AuditService } from '../audit.service.ts';
import type { AuditDecision, AuditSource } from '../audit.model.ts';
import { SERVER_SOURCE } from '../audit-source.ts';
import type { Lane } from '../lanes.ts';
import { sealLine, headsLine } from '../seal-line.ts';
import { SealSigner } from '../seal-key.ts';
import { selectSeals } from '../seal.queries.ts';
import { Sealer } from '../sealer.ts';

/** A whole number below `below`. */
export type Random = (below: number) => number;

/** An audit log on a test database as servers write it: replicas, lanes, seals, and the exported file's text. */
export class TestAuditLog {
  readonly database: DatabaseService;
  readonly macKey = createSecretKey(Buffer.alloc(32, 7));
  readonly signer = new SealSigner(createSecretKey(Buffer.alloc(32, 9)));
  readonly replicas: { readonly id: string; readonly audit: AuditService; readonly sealer: Sealer }[] = [];
  #at = Date.UTC(2026, 10, 29);

  constructor(database: DatabaseService) {
    this.database = database;
  }

  /** Another server process. */
  replica(): AuditService {
    const id = randomUUID();
    const audit = new AuditService(this.database, { id, nowMs: () => (this.#at += 7) }, this.macKey);
    this.replicas.push({ id, audit, sealer: new Sealer(this.database, id, this.signer) });
    return audit;
  }

  /** Decisions in transactions of several replicas at once, some of them rolled back. */
  async decide(random: Random, count: number): Promise<void> {
    const one = async (): Promise<void> => {
      const replica = this.replicas[random(this.replicas.length)];
      const fails = random(5) === 0;
      await this.database
        .tx('READ COMMITTED', async (sql: Sql) => {
          await replica?.audit.record(
            sql,
            someSource(random),
            ...Array.from({ length: 1 + random(2) }, () => someDecision(random)),
          );
          if (fails) throw new Error('rolled back');
        })
        .catch((error: unknown) => {
          if (!fails) throw error;
        });
    };
    for (let left = count; left > 0; left -= 8) await Promise.all(Array.from({ length: Math.min(left, 8) }, one));
  }

  /** Seals what there is. */
  async seal(which = 0): Promise<void> {
    const lease = this.replicas[which % this.replicas.length];
    await this.database.query(`UPDATE audit_lease SET expires_at = '-infinity'`);
    await lease?.sealer.round();
  }

  /** What the server would have exported by now: all seals, and the heads of rows without one. */
  async exportedText(): Promise<string> {
    const seals = (await selectSeals(this.database, 1, 100_000)).map(sealLine);
    const heads = this.replicas.map(({ id, audit }) => headsLine(id, this.#at, audit.heads() as Lane[]));
    return [...seals, ...heads].join('');
  }
}

function someSource(random: Random): AuditSource {
  const address = `192.0.2.${random(250)}`;
  const actor = { kind: 'token', id: randomUUID(), name: `person ${random(9)}` } as const;
  return random(4) === 0
    ? SERVER_SOURCE
    : { actor, via: 'http', address, requestId: randomUUID(), idempotencyKey: randomUUID() };
}

function someDecision(random: Random): AuditDecision {
  const hosts = Array.from({ length: [1, 1, 1, 0, 3, 20][random(6)] ?? 1 }, () => randomUUID());
  return {
    what: random(3) === 0 ? 'host.label' : 'action.request',
    object: randomUUID(),
    kmod: random(3) === 0 ? null : `kmod_${random(9)}`,
    selector: random(4) === 0 ? 'env=prod' : null,
    hosts,
    reason: random(2) === 0 ? `CVE-2026-${random(9999)}` : null,
    details: { verb: 'unload', run: random(1000) },
    outcome: random(6) === 0 ? 'frozen' : 'allowed',
  };
}
