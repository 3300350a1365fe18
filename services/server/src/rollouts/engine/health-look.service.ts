import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { selectHeldHosts } from '../../queries/query-targets.queries.ts';
import { QueriesService } from '../../queries/queries.service.ts';
import { healthProblems, type HostHealth, type Looked } from './health.rules.ts';
import type { Look } from './step-input.ts';

/** A host answers in milliseconds; one that needs longer is asked again. */
const ANSWER_MS = 5_000;

/** Looks at hosts after their wave: asks them how they are, beside how they were before their actions. */
@Injectable()
export class HealthLook {
  readonly #database: DatabaseService;
  readonly #queries: QueriesService;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(QueriesService) queries: QueriesService) {
    this.#database = database;
    this.#queries = queries;
  }

  /** One look for each of the hosts; `problems` null for one that did not answer. */
  async look(
    rolloutId: string,
    kmod: string,
    wants: Looked['wants'],
    hostIds: readonly string[],
    signal: AbortSignal,
  ): Promise<Look[]> {
    const hosts = await selectHeldHosts(this.#database, hostIds);
    const before = await selectHealthBefore(this.#database, rolloutId, hostIds);
    const question = { queryId: randomUUID(), kmods: [kmod], health: true, hosts, timeoutMs: ANSWER_MS };
    const over = new AbortController();
    try {
      const live = this.#queries.ask(question, AbortSignal.any([signal, over.signal]));
      const problems = new Map<string, Look['problems']>();
      for await (const answers of live.answers())
        for (const { host, kmods, health } of answers) {
          const presence = kmods[0]?.presence ?? null;
          const looked = { before: before.get(host.id) ?? null, now: health ?? null, presence, wants };
          problems.set(host.id, healthProblems(looked));
        }
      return hostIds.map((hostId) => ({ hostId, problems: problems.get(hostId) ?? null }));
    } finally {
      over.abort();
    }
  }
}

/** As each host said it before the first step of its action. */
async function selectHealthBefore(
  sql: Sql,
  rolloutId: string,
  hostIds: readonly string[],
): Promise<Map<string, HostHealth | null>> {
  const rows = await sql.query<{ host_id: string; health: HostHealth | null }>(
    `SELECT t.host_id, a.result -> 'healthBefore' AS health FROM rollout_target t JOIN action a ON a.id = t.action_id
      WHERE t.rollout_id = $1 AND t.host_id = ANY ($2::uuid[])`,
    [rolloutId, hostIds],
  );
  return new Map(rows.map((row) => [row.host_id, row.health]));
}
