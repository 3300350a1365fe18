import { randomBytes, randomUUID } from 'node:crypto';
import { Outcome, requestDigest } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { CommandStopService } from '../command-stop/command-stop.service.ts';
import type { Sql } from '../database/database.service.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { ActionBatch, type Asker, type BatchAction } from './action-batch.service.ts';
import type { ActionItem } from './action.model.ts';
import { ActionStack } from './testing/action-stack.ts';
import { type FakeHost, resultOf } from './testing/fake-host.ts';

let stack: ActionStack;
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
afterEach(() => stack.reset());

const batch = (): ActionBatch => stack.app.get(ActionBatch);
const show = async (id: string): Promise<ActionItem> => (await stack.call<ActionItem>('GET', `/actions/${id}`)).body;

function actionOn(hostId: string, change: Partial<BatchAction> = {}): BatchAction {
  return {
    hostId,
    verb: 'unload',
    kmod: 'floppy',
    parameters: [],
    dryRun: true,
    confirmWindowSeconds: 0,
    overrides: [],
    expiresAt: new Date(Date.now() + 60_000),
    approvedPlans: [],
    undo: [],
    rolloutId: null,
    planId: null,
    reason: null,
    ...change,
  };
}

async function asker(role: 'operator' | 'viewer' = 'operator'): Promise<Asker> {
  const { accountId, name, tokenId } = await testCaller(stack.app, [[role, null]]);
  return { accountId, name, credential: { kind: 'token', id: tokenId } };
}

async function enrolled(count: number): Promise<FakeHost[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => stack.enroll(`web-${index}`)));
}

describe('a batch of actions', () => {
  it('is numbered, signed, stored and sent like actions that came one by one', async () => {
    const hosts = await enrolled(3);
    for (const host of hosts) await stack.connect(host);
    const who = await asker();
    const planId = randomUUID();
    const approved = randomBytes(32);
    const undo = [{ kind: 'load', kmod: 'floppy', parameters: ['b=2', 'a=1'] }];
    const { ids, left } = await stack.database.tx('READ COMMITTED', (sql) =>
      batch().create(
        sql,
        hosts.map((host) => actionOn(host.id, { planId, approvedPlans: [approved], undo, reason: 'CVE \ud800' })),
        who,
      ),
    );
    expect(left.size).toBe(0);
    batch().begin(hosts.map(({ id }) => ({ hostId: id, actionId: ids.get(id) ?? '', verb: 'unload' })));
    for (const host of hosts) {
      const request = await host.next('actionRequest');
      expect(request).toMatchObject({ actionId: ids.get(host.id), hostId: host.id, kmod: 'floppy', dryRun: true });
      expect([request.sequence, request.signature.length]).toEqual([1, 64]);
      await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
      expect(await host.next('resultAck')).toEqual({ actionIds: [request.actionId] });
      const item = await show(request.actionId);
      expect(item).toMatchObject({ state: 'ended', outcome: 'succeeded', requestedBy: who.name, reason: 'CVE \ufffd' });
      expect(item.timeline.map(({ state }) => state)).toEqual(['queued', 'dispatched', 'ended']);
      const [row] = await stack.database.query<Record<string, unknown>>(
        'SELECT request_digest AS digest, plan_id, rollout_id, approved_plans AS plans, undo FROM action WHERE id = $1',
        [request.actionId],
      );
      const digest = Buffer.from(requestDigest(request));
      expect(row).toEqual({ digest, plan_id: planId, rollout_id: null, plans: [approved], undo });
    }
    const [stored] = await stack.database.query('SELECT count(*)::int AS count FROM command_certificate');
    expect(stored).toEqual({ count: 1 });
  });

  it('takes as many statements for a thousand hosts as for one', async () => {
    const who = await asker();
    const counted = async (count: number): Promise<number> => {
      const rows = await stack.database.query<{ id: string }>(
        `INSERT INTO host (id, name, mode, key_fingerprint)
         SELECT gen_random_uuid(), 'many-' || n, 'act', sha256(gen_random_uuid()::text::bytea) FROM generate_series(1, $1) n RETURNING id`,
        [count],
      );
      let statements = 0;
      const created = await stack.database.tx('READ COMMITTED', (sql) => {
        const counting: Sql = { query: (text, params) => ((statements += 1), sql.query(text, params)) };
        return batch().create(
          counting,
          rows.map(({ id }) => actionOn(id)),
          who,
        );
      });
      expect(created.ids.size).toBe(count);
      return statements;
    };
    expect(await counted(1)).toBe(4);
    expect(await counted(1_000)).toBe(4);
    expect(await counted(1_001)).toBe(7);
  });

  it('leaves out hosts that nothing is sent to, and says why', async () => {
    const [good, retired, revoked, quarantined] = await enrolled(4);
    await stack.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [retired?.id]);
    await stack.database.query('UPDATE host SET revoked_at = now() WHERE id = $1', [revoked?.id]);
    await stack.database.query('UPDATE host SET quarantined_at = now() WHERE id = $1', [quarantined?.id]);
    const nobody = randomUUID();
    const who = await asker();
    const all = [good, retired, revoked, quarantined].map((host) => host?.id ?? '');
    const { ids, left } = await stack.database.tx('READ COMMITTED', (sql) =>
      batch().create(
        sql,
        [...all, nobody].map((id) => actionOn(id)),
        who,
      ),
    );
    expect([...ids.keys()]).toEqual([good?.id]);
    expect(Object.fromEntries(left)).toEqual({
      [retired?.id ?? '']: 'host_retired',
      [revoked?.id ?? '']: 'host_revoked',
      [quarantined?.id ?? '']: 'host_quarantined',
      [nobody]: 'host_not_found',
    });
    const numbers = await stack.database.query('SELECT id FROM host WHERE command_sequence > 0');
    expect(numbers).toEqual([{ id: good?.id }]);
  });

  it('numbers on where batches over the same hosts come at once, in any order of their hosts, and never deadlocks', async () => {
    const hosts = await enrolled(20);
    const who = await asker();
    await Promise.all(
      Array.from({ length: 8 }, (_, round) => {
        const order = round % 2 === 0 ? hosts : hosts.toReversed();
        return stack.database.tx('READ COMMITTED', (sql) =>
          batch().create(
            sql,
            order.map(({ id }) => actionOn(id)),
            who,
          ),
        );
      }),
    );
    const rows = await stack.database.query<{ numbers: number[] }>(
      'SELECT array_agg(sequence::int ORDER BY sequence) AS numbers FROM action GROUP BY host_id',
    );
    expect(rows).toEqual(hosts.map(() => ({ numbers: [1, 2, 3, 4, 5, 6, 7, 8] })));
  });

  it('is nothing while commands are stopped', async () => {
    const [host] = await enrolled(1);
    const who = await asker();
    const hostId = host?.id ?? '';
    await stack.app
      .get(CommandStopService)
      .stop({ hostId, epoch: 1, sequence: 9, actionId: randomUUID(), knownEpoch: 1, knownSequence: 0 });
    const creating = stack.database.tx('READ COMMITTED', (sql) => batch().create(sql, [actionOn(hostId)], who));
    await expect(creating).rejects.toMatchObject({ code: 'database_behind' });
  });

  it('is not sent when whoever asked has lost the right', async () => {
    const [host] = await enrolled(1);
    const who = await asker('viewer');
    const hostId = host?.id ?? '';
    const { ids } = await stack.database.tx('READ COMMITTED', (sql) => batch().create(sql, [actionOn(hostId)], who));
    if (host !== undefined) await stack.connect(host);
    const id = ids.get(hostId) ?? '';
    await expect.poll(async () => (await show(id)).outcome, { timeout: 10_000 }).toBe('cancelled');
    expect(host?.heard).toEqual([]);
  });
});

describe('withdrawing what is queued', () => {
  it('cancels that alone, with a line in each timeline', async () => {
    const hosts = await enrolled(3);
    const [sent, ...waiting] = hosts;
    if (sent !== undefined) await stack.connect(sent);
    const { ids } = await stack.database.tx('READ COMMITTED', async (sql) =>
      batch().create(
        sql,
        hosts.map(({ id }) => actionOn(id)),
        await asker(),
      ),
    );
    batch().begin(hosts.map(({ id }) => ({ hostId: id, actionId: ids.get(id) ?? '', verb: 'unload' })));
    await sent?.next('actionRequest');
    const all = [...ids.values(), randomUUID()];
    const withdraw = (): Promise<readonly string[]> =>
      stack.database.tx('READ COMMITTED', (sql) => batch().withdrawQueued(sql, all, 'the plan'));
    const ended = await withdraw();
    expect([...ended].sort()).toEqual(waiting.map(({ id }) => ids.get(id)).sort());
    expect(await withdraw()).toEqual([]);
    for (const id of ended) {
      expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'cancelled', version: 2 });
      expect((await show(id)).timeline.map(({ note }) => note)).toEqual([
        'accepted and stored',
        'cancelled before it was sent',
      ]);
    }
    expect(await show(ids.get(sent?.id ?? '') ?? '')).toMatchObject({ state: 'dispatched', outcome: null });
  });
});
