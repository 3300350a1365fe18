import { randomBytes, randomUUID } from 'node:crypto';
import { AuditService } from '../../services/server/src/audit/audit.service.ts';
import type { AuditDecision, AuditSource } from '../../services/server/src/audit/audit.model.ts';
import type { Sql } from '../../services/server/src/database/database.service.ts';
import type { ApiServer } from '../../services/server/src/testing/api-server.ts';

/** Actions a second. */
export interface Rate {
  readonly on: number;
  readonly off: number;
  /** CPU of this process (the server, and the client where there is one) for each action, µs: what others do on the machine changes it little. */
  readonly onCpuUs: number;
  readonly offCpuUs: number;
}

const SOURCE: AuditSource = {
  actor: { kind: 'token', id: randomUUID(), name: 'bench' },
  via: 'http',
  address: '192.0.2.7',
  requestId: randomUUID(),
  idempotencyKey: randomUUID(),
};
/** How long each side of a round is measured. */
const ROUND_MS = 4_000;

interface Measured {
  readonly rate: number;
  readonly cpuUs: number;
}

export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? 0;
}

/** On and off in turn, each first in every other round, after one of each that does not count: what others do on the machine hits both. */
async function inTurn(rounds: number, audit: AuditService, measure: () => Promise<Measured>): Promise<Rate> {
  const rates: Record<'on' | 'off', Measured[]> = { on: [], off: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      // An own property hides the method.
      if (side === 'off')
        Object.defineProperty(audit, 'record', { value: () => Promise.resolve(), configurable: true });
      const rate = await measure();
      Reflect.deleteProperty(audit, 'record');
      if (round >= 0) rates[side].push(rate);
    }
  }
  const of = (side: 'on' | 'off', pick: (one: Measured) => number): number => median(rates[side].map(pick));
  return {
    on: of('on', ({ rate }) => rate),
    off: of('off', ({ rate }) => rate),
    onCpuUs: of('on', ({ cpuUs }) => cpuUs),
    offCpuUs: of('off', ({ cpuUs }) => cpuUs),
  };
}

/** `work` again and again, `lanes` at once, for a while; @returns units a second. */
async function rateOf(lanes: number, units: number, work: () => Promise<void>): Promise<Measured> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  let done = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() - started < ROUND_MS) {
        await work();
        done += units;
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { rate: done / ((performance.now() - started) / 1000), cpuUs: (user + system) / done };
}

/** Through the socket, as clients do. */
export async function measureHttp(server: ApiServer, hosts: readonly string[], rounds: number): Promise<Rate> {
  await server.app.listen(0, '127.0.0.1');
  const url = `${await server.app.getUrl()}/api/v1/actions`;
  let next = 0;
  const one = async (): Promise<void> => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.token}`,
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify({
        host: hosts[(next += 1) % hosts.length],
        verb: 'unload',
        kmod: 'floppy',
        reason: 'bench',
      }),
    });
    const text = await answer.text();
    if (answer.status !== 202) throw new Error(`POST /actions answered ${answer.status}: ${text}`);
  };
  return inTurn(rounds, server.app.get(AuditService), () => rateOf(16, 1, one));
}

/** The storing path below the API: `size` actions and their first transitions in one transaction. @param rows one audit row for each action, or one for all. */
export async function measureStoring(
  server: ApiServer,
  hosts: readonly string[],
  rounds: number,
  size: number,
  rows: 'each' | 'one',
): Promise<Rate> {
  const audit = server.app.get(AuditService);
  const decision = (ids: readonly string[], object: string): AuditDecision => ({
    what: 'action.request',
    object,
    kmod: 'floppy',
    hosts: ids,
    reason: 'bench',
    details: { verb: 'unload', dryRun: false },
  });
  const one = (): Promise<void> =>
    server.database.tx('READ COMMITTED', async (sql) => {
      const ids = Array.from({ length: size }, () => randomUUID());
      const targets = ids.map((_, index) => hosts[index % hosts.length] ?? '');
      await insertActions(sql, ids, targets);
      const decisions =
        rows === 'one'
          ? [decision(targets, ids[0] ?? '')]
          : ids.map((id, index) => decision([targets[index] ?? ''], id));
      await audit.record(sql, SOURCE, ...decisions);
    });
  return inTurn(rounds, audit, () => rateOf(size === 1 ? 10 : 4, size, one));
}

function insertActions(sql: Sql, ids: readonly string[], hosts: readonly string[]): Promise<object[]> {
  return sql.query(
    `WITH inserted AS (
       INSERT INTO action (id, host_id, verb, kmod, parameters, dry_run, reason, requested_by, request_digest, created_at, expires_at, next_sweep_at)
       SELECT id, host_id, 2, 'floppy', '{}', false, 'bench', 'bench', $3, clock_timestamp(), now() + interval '1 day', now() + interval '1 day'
         FROM unnest($1::uuid[], $2::uuid[]) AS new (id, host_id)
       RETURNING id, created_at)
     INSERT INTO action_transition (action_id, seq, at, state, note) SELECT id, 1, created_at, 'queued', 'accepted and stored' FROM inserted`,
    [ids, hosts, randomBytes(32)],
  );
}
