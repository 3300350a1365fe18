import { Outcome } from '@modfleet/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { resultOf } from '../actions/testing/fake-host.ts';
import { ActionStack } from '../actions/testing/action-stack.ts';
import type { Action } from '../api-types.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { RetentionService } from './retention.service.ts';

let stack: ActionStack;
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));
afterEach(() => stack.reset());

const kept = async (): Promise<number> =>
  (await stack.database.query<{ n: number }>('SELECT count(*)::int AS n FROM command_certificate'))[0]?.n ?? -1;
const round = (): Promise<void> => stack.app.get(RetentionService, { strict: false }).round();

/** As if all of it had happened so long ago. */
async function age(days: number): Promise<void> {
  await stack.database.query('UPDATE command_certificate SET used_at = now() - make_interval(days => $1)', [days]);
  await stack.database.query('UPDATE action SET created_at = now() - make_interval(days => $1)', [days]);
}

describe('the certificate of a command key', () => {
  it('is kept for as long as an action that it signed is under way, and goes when all have ended long ago', async () => {
    const host = await stack.enroll('web-1');
    const { id } = (await stack.call<Action>('POST', '/actions', { host: 'web-1', verb: 'load', kmod: 'dummy' })).body;
    await age(31);
    await round();
    expect(await kept()).toBe(1);

    await stack.connect(host);
    const request = await host.next('actionRequest');
    expect(request.commandCertificate.length).toBeGreaterThan(0);
    for (const state of ['dispatched', 'received', 'started']) {
      await stack.database.query('UPDATE action SET state = $2 WHERE id = $1', [id, state]);
      await round();
      expect([state, await kept()]).toEqual([state, 1]);
    }
    await host.reports(resultOf(request, Outcome.OUTCOME_SUCCEEDED));
    await host.next('resultAck');
    await round();
    expect(await kept()).toBe(0);
    expect((await stack.call<Action>('GET', `/actions/${id}`)).body).toMatchObject({ outcome: 'succeeded' });
  });

  it('is kept while a host may be asked again about what it signed, and for a month in any case', async () => {
    await stack.enroll('web-2');
    await stack.call('POST', '/actions', { host: 'web-2', verb: 'load', kmod: 'dummy' });
    await stack.database.query(`UPDATE action SET state = 'ended', outcome = $1, ended_at = now()`, [
      Outcome.OUTCOME_UNCONFIRMED,
    ]);
    await age(29);
    await round();
    expect(await kept()).toBe(1);
    await age(31);
    await stack.database.query(`UPDATE action SET created_at = now() - interval '2 days'`);
    await round();
    expect(await kept()).toBe(1);
    await age(31);
    await round();
    expect(await kept()).toBe(0);
  });
});
