import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OutcomeWord } from '@modfleet/proto';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { openSession } from '../testing/open-session.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { selectDue } from './action.queries.ts';
import { ACTION_STATES, ASK_AGAIN_MS, outcomeNumber } from './action.states.ts';
import { claimNext, selectPending } from './dispatch.queries.ts';
import { type DispatchRow, nextSweep, nextToSend, pendingOf } from './dispatch.rules.ts';

/*
 * Postgres decides what is sent (it has the locks), the rules say what that is (the simulation in tests/once runs on them). Here both are asked
 * about the same tables.
 */

const HOUR = 3_600_000;
const HOST = randomUUID();
const REPLICA = randomUUID();
/** Of the commands that are sent now. */
const EPOCH = 2;

let postgres: TestPostgres;
let database: DatabaseService;

beforeAll(async () => {
  postgres = await startTestPostgres();
  database = new DatabaseService({ databaseUrl: (await postgres.createDatabase()).url, dbPoolSize: 2 });
});
afterAll(async () => {
  await database?.onApplicationShutdown();
  await postgres?.close();
});

const OUTCOMES: readonly OutcomeWord[] = ['succeeded', 'refused', 'unconfirmed', 'stuck', 'expired'];

/** Times are hours from now, none near an edge. */
const anyRow = fc.record({
  state: fc.constantFrom(...ACTION_STATES, 'queued' as const, 'ended' as const),
  outcome: fc.constantFrom(...OUTCOMES, 'unconfirmed' as const),
  resolved: fc.boolean(),
  expiresInH: fc.constantFrom(-30.5, -23.5, -22.5, -1, -0.01, 0.5, 20),
  ageH: fc.integer({ min: 24, max: 27 }),
  cancelAsked: fc.boolean(),
  epoch: fc.constantFrom(0, 1, EPOCH, EPOCH),
});
const anyTable = fc.record({
  rows: fc.array(anyRow, { maxLength: 5 }),
  frozen: fc.boolean(),
  stopped: fc.constantFrom(false, false, false, true),
  ready: fc.constantFrom(
    'ready' as const,
    'ready' as const,
    'retired' as const,
    'quarantined' as const,
    'elsewhere' as const,
  ),
});

it('says of every table what Postgres says of it', async () => {
  await fc.assert(
    fc.asyncProperty(anyTable, async ({ rows: wanted, frozen, stopped, ready }) => {
      const [clock] = await database.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      const now = clock?.now ?? new Date(0);
      const rows = wanted.map((row): DispatchRow => {
        const ended = row.state === 'ended';
        return {
          id: randomUUID(),
          state: row.state,
          outcome: ended ? row.outcome : null,
          resolvedOutcome: ended && row.resolved && row.outcome === 'unconfirmed' ? 'succeeded' : null,
          createdAt: new Date(now.getTime() - row.ageH * HOUR),
          expiresAt: new Date(now.getTime() + row.expiresInH * HOUR),
          cancelRequestedAt: row.cancelAsked ? now : null,
          cancelledBy: null,
          dispatchedAt: null,
          startedAt: null,
          endedAt: null,
          resolvedAt: null,
          confirmWindowSeconds: 0,
          confirmDeadline: null,
          confirmOfferedAt: null,
          confirmPeer: null,
          epoch: row.epoch,
        };
      });
      const replica = ready === 'elsewhere' ? randomUUID() : REPLICA;
      await fill(rows, frozen, ready, replica);
      await database.query('UPDATE command_stop SET at = CASE WHEN $1 THEN now() END', [stopped]);
      const ground = { now, frozen: frozen || stopped, hostReady: ready === 'ready', epoch: EPOCH };
      const claimed = await rolledBack((sql) => claimNext(sql, [HOST], REPLICA, () => EPOCH));
      expect(claimed.ids.get(HOST)).toBe(nextToSend(rows, ground));
      expect(await selectPending(database, HOST, REPLICA, ASK_AGAIN_MS, EPOCH)).toEqual(pendingOf(rows, ground));
      // What is queued while commands are stopped may have been sent: nothing is said of it.
      const due = rows
        .filter(
          (row) => (nextSweep(row)?.getTime() ?? Infinity) <= now.getTime() && !(stopped && row.state === 'queued'),
        )
        .map((row) => row.id);
      expect((await selectDue(database, 100)).sort()).toEqual(due.sort());
    }),
    { numRuns: 120 },
  );
}, 120_000);

async function rolledBack<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  let value: { is: T } | undefined;
  const back = new Error('rolled back');
  await database
    .tx('READ COMMITTED', async (sql) => {
      value = { is: await work(sql) };
      throw back;
    })
    .catch((error: unknown) => {
      if (error !== back) throw error;
    });
  if (value === undefined) throw back;
  return value.is;
}

async function fill(rows: readonly DispatchRow[], frozen: boolean, ready: string, replica: string): Promise<void> {
  await database.query('TRUNCATE action, action_transition, host, host_session, host_inventory');
  await database.query('UPDATE fleet_freeze SET frozen = $1', [frozen]);
  await database.query(
    `INSERT INTO host (id, name, mode, key_fingerprint, retired_at, quarantined_at)
     VALUES ($1, 'web-1', 'act', $2, CASE WHEN $3 = 'retired' THEN now() END, CASE WHEN $3 = 'quarantined' THEN now() END)`,
    [HOST, randomBytes(32), ready],
  );
  await openSession(database, { hostId: HOST, replicaId: replica, bootId: 'boot', address: '127.0.0.1' });
  for (const row of rows) {
    await database.query(
      `INSERT INTO action (id, host_id, verb, kmod, requested_by, request_digest, state, outcome, created_at, expires_at, cancel_requested_at,
                           resolved_outcome, next_sweep_at, epoch)
       VALUES ($1, $2, 1, 'dummy', 'ops', '', $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        row.id,
        HOST,
        row.state,
        row.outcome === null ? null : outcomeNumber(row.outcome),
        row.createdAt,
        row.expiresAt,
        row.cancelRequestedAt,
        row.resolvedOutcome === null ? null : outcomeNumber(row.resolvedOutcome),
        nextSweep(row),
        row.epoch,
      ],
    );
  }
}
