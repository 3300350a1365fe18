import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, expect, it } from 'vitest';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { ActionBatch, type BatchAction } from './action-batch.service.ts';
import { ActionStack } from './testing/action-stack.ts';
import type { FakeHost } from './testing/fake-host.ts';

// Many hosts in one transaction of the dispatcher: what one host alone is promised holds for each of them.

let stack: ActionStack;
let other: ActionStack;
onTestDatabase(async (url) => {
  stack = await ActionStack.start(url);
  other = await ActionStack.start(url);
  return { stop: () => Promise.all([stack.stop(), other.stop()]).then(() => undefined) };
});
afterEach(() => stack.reset());

const HOSTS = 30;
const requests = (host: FakeHost): number => host.heard.filter(({ $case }) => $case === 'actionRequest').length;
const sent = (hosts: readonly FakeHost[]): number => hosts.reduce((sum, host) => sum + requests(host), 0);

async function connected(count = HOSTS): Promise<FakeHost[]> {
  const hosts = await Promise.all(Array.from({ length: count }, (_, index) => stack.enroll(`web-${index}`)));
  for (const host of hosts) await stack.connect(host);
  return hosts;
}

/** One action a host, accepted by `on` and not sent yet. */
async function accepted(
  hosts: readonly FakeHost[],
  change: Partial<BatchAction> = {},
  on: ActionStack = stack,
): Promise<{ hostId: string; actionId: string; verb: 'unload' }[]> {
  const { accountId, name, tokenId } = await testCaller(stack.app, [['operator', null]]);
  const asker = { accountId, name, credential: { kind: 'token', id: tokenId } } as const;
  const action = {
    verb: 'unload',
    kmod: 'floppy',
    parameters: [],
    dryRun: false,
    confirmWindowSeconds: 0,
    overrides: [],
    expiresAt: new Date(Date.now() + 600_000),
    approvedPlans: [],
    undo: [],
    rolloutId: null,
    planId: null,
    reason: null,
  } as const;
  const { ids } = await on.database.tx('READ COMMITTED', (sql) =>
    on.app.get(ActionBatch).create(
      sql,
      hosts.map(({ id }) => ({ ...action, hostId: id, ...change })),
      asker,
    ),
  );
  return [...ids].map(([hostId, actionId]) => ({ hostId, actionId, verb: 'unload' }));
}

async function states(): Promise<Record<string, number>> {
  const rows = await stack.database.query<{ state: string; count: number }>(
    'SELECT state, count(*)::int AS count FROM action GROUP BY state',
  );
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
}

/** Runs `meanwhile` while a transaction that is not committed yet has done this, and commits it then. */
async function inBetween(statement: string, values: unknown[], meanwhile: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: stack.databaseUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(statement, values);
    await meanwhile();
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

async function waitsForLock(): Promise<void> {
  const waiting = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  await expect.poll(async () => (await stack.database.query(waiting)).length, { timeout: 10_000 }).toBeGreaterThan(0);
}

it('two replicas that are both told send each host its action once', async () => {
  const hosts = await connected();
  const created = await accepted(hosts, {}, other);
  stack.app.get(ActionBatch).begin(created);
  other.app.get(ActionBatch).begin(created);
  await Promise.all([stack.driveAll(), other.driveAll(), stack.driveAll()]);
  await expect.poll(() => sent(hosts), { timeout: 20_000 }).toBe(HOSTS);
  await Promise.all([stack.idle(), other.idle()]);
  expect([hosts.every((host) => requests(host) === 1), await states()]).toEqual([true, { dispatched: HOSTS }]);
});

it('a freeze that comes in between stops all of them, and a thaw sends them', async () => {
  const hosts = await connected();
  const created = await accepted(hosts);
  await inBetween(`UPDATE fleet_freeze SET frozen = true, by = 'ops', reason = 'drill', at = now()`, [], async () => {
    stack.app.get(ActionBatch).begin(created);
    await waitsForLock();
  });
  await stack.idle();
  expect([sent(hosts), await states()]).toEqual([0, { queued: HOSTS }]);
  await stack.database.query('UPDATE fleet_freeze SET frozen = false, by = NULL, reason = NULL, at = NULL');
  await stack.driveAll();
  await expect.poll(() => sent(hosts), { timeout: 20_000 }).toBe(HOSTS);
});

it("a rollout's gate that closes in between stops its hosts and no others", async () => {
  const hosts = await connected();
  const rolloutId = await openRollout();
  const [gated, free] = [hosts.slice(0, HOSTS / 2), hosts.slice(HOSTS / 2)];
  const created = [...(await accepted(gated, { rolloutId })), ...(await accepted(free))];
  await inBetween('UPDATE rollout_gate SET open = false WHERE rollout_id = $1', [rolloutId], async () => {
    stack.app.get(ActionBatch).begin(created);
    await waitsForLock();
  });
  await expect.poll(() => sent(free), { timeout: 20_000 }).toBe(free.length);
  await stack.idle();
  expect([sent(gated), await states()]).toEqual([0, { queued: gated.length, dispatched: free.length }]);
  await stack.database.query('UPDATE rollout_gate SET open = true');
  await stack.driveAll();
  await expect.poll(() => sent(gated), { timeout: 20_000 }).toBe(gated.length);
});

it('a row that cannot be read stops its own host alone', async () => {
  const hosts = await connected();
  const created = await accepted(hosts);
  const broken = created[7];
  await stack.database.query('UPDATE action SET verb = 99 WHERE id = $1', [broken?.actionId]);
  stack.app.get(ActionBatch).begin(created);
  await expect.poll(() => sent(hosts), { timeout: 20_000 }).toBe(HOSTS - 1);
  await stack.idle();
  const unsent = hosts.filter((host) => requests(host) === 0).map(({ id }) => id);
  expect([unsent, await states()]).toEqual([[broken?.hostId], { dispatched: HOSTS - 1, queued: 1 }]);
});

/** Rows of a rollout that nobody watches: its lease is another's. */
async function openRollout(): Promise<string> {
  const [plan, rollout] = [randomUUID(), randomUUID()];
  await stack.database.query(
    `INSERT INTO rollout_plan (id, state, verb, kmod, requested_by, answers_until, expires_at) VALUES ($1, 'ready', 2, 'floppy', 'ops', now(), now())`,
    [plan],
  );
  await stack.database.query(
    `INSERT INTO rollout (id, plan_id, state, options, hash, requested_by, requested_account, seal, deadline, lease_expires_at)
     VALUES ($1, $2, 'running', '{}', '', 'ops', $1, '', now(), 'infinity')`,
    [rollout, plan],
  );
  await stack.database.query('INSERT INTO rollout_gate (rollout_id, open) VALUES ($1, true)', [rollout]);
  return rollout;
}
