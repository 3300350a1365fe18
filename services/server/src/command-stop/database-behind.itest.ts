import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ActionRequest, Outcome } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { ActionStack } from '../actions/testing/action-stack.ts';
import { isTaken, signedMachines } from '../../../../tests/support/signed-machines.ts';
import type { ActionList, Problem, Readiness } from '../api-types.ts';
import { raiseParts } from '../commands/epoch.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { finishRaise, raiseEpoch } from './epoch-raise.ts';

let stack: ActionStack;
const { machine, create, show, command } = signedMachines((started) => (stack = started));

describe('a database that was put back', () => {
  /** As pg_dump and pg_restore would, for what this test is about. */
  async function backup(): Promise<() => Promise<void>> {
    const tables = ['host', 'action', 'action_transition'] as const;
    for (const table of tables) await stack.database.query(`CREATE TABLE backup_${table} AS TABLE ${table}`);
    return async () => {
      for (const table of tables) {
        await stack.database.query(`TRUNCATE ${table}`);
        await stack.database.query(`INSERT INTO ${table} SELECT * FROM backup_${table}`);
        await stack.database.query(`DROP TABLE backup_${table}`);
      }
    };
  }

  it('is proven by the first host that knows more: nothing is sent or accepted any more, and all says so, until the epoch is raised', async () => {
    const one = await machine();
    const other = await machine('web-2');
    await stack.connect(one.host);
    const waits = await create('tun', 'web-2');
    const inDump = await create('veth');
    const restore = await backup();
    await one.runs();
    const lost = await create();
    await one.runs();
    await one.host.disconnect(stack.database);
    await restore();

    const newestCommand = one.courier.newestCommand();
    expect(newestCommand?.actionId).toBe(lost.id);
    await stack.connect(one.host, { newestCommand });
    const refused = await stack.call<Problem>('POST', '/actions', { host: 'web-2', verb: 'load', kmod: 'x' });
    expect([refused.status, refused.body.code]).toEqual([423, 'database_behind']);
    const words = `Host web-1 (${one.host.id}) has taken command 2 of epoch 1 (action ${lost.id}), and here the newest command for it is 1 of epoch 1`;
    expect(refused.body.detail).toContain(words);
    expect(refused.body.detail).toContain('modfleet-server epoch raise');

    // Sent nothing: not what waits, nor what this database believes to be under way.
    await stack.connect(other.host);
    await stack.driveAll();
    await stack.idle();
    expect([one.host.heard, other.host.heard]).toEqual([[], []]);

    const answer = (await stack.call<ActionList>('GET', '/actions')).body;
    expect(answer.alarm).toMatchObject({
      code: 'database_behind',
      host: { id: one.host.id, name: 'web-1' },
      taken: { epoch: 1, sequence: 2, actionId: lost.id },
      known: { epoch: 1, sequence: 1 },
    });
    const ready = await fetch(`${stack.url}/readyz`);
    expect(ready.status).toBe(200);
    const { status, checks } = (await ready.json()) as Readiness;
    expect([status, checks.find(({ name }) => name === 'commands')?.ok]).toEqual(['ready', false]);
    expect(await (await fetch(`${stack.url}/metrics`)).text()).toMatch(/^modfleet_commands_stopped 1$/m);
    expect((await stack.call<Problem>('POST', `/actions/${waits.id}/cancel`, {})).body.code).toBe('database_behind');
    expect(await command('show')).toContain(words);

    // Another replica, and this one after a restart: the row says it.
    const replica = await ActionStack.start(stack.databaseUrl);
    try {
      const there = await replica.call<Problem>('POST', '/actions', { host: 'web-2', verb: 'load', kmod: 'x' });
      expect(there.body.code).toBe('database_behind');
    } finally {
      await replica.stop();
    }

    // What is queued is not called "not started" meanwhile, though its time be over.
    await stack.database.query(
      `UPDATE action SET next_sweep_at = now() - interval '1 s', expires_at = now() - interval '1 s' WHERE id = $1`,
      [waits.id],
    );
    await stack.sweeper.sweep();
    expect(await show(waits.id)).toMatchObject({ state: 'queued' });

    expect(await command('raise', '--dry-run')).toContain('Nothing was changed');
    expect(await command('show')).toContain('commands are stopped');
    const raised = await command('raise');
    expect(raised).toContain('epoch 2; 2 actions ended as unconfirmed');
    for (const { id } of [waits, inDump]) {
      const action = await show(id);
      expect(action).toMatchObject({ state: 'ended', outcome: 'unconfirmed' });
      expect(action.message).toContain('It may have run');
      expect(action.timeline.at(-1)?.note).toContain('new epoch 2');
    }
    expect((await stack.call<ActionList>('GET', '/actions')).body.alarm).toBeUndefined();
    const audited = await stack.database.query<{ what: string }>(
      `SELECT what FROM audit.entry WHERE what IN ('commands.stop', 'epoch.raise') ORDER BY at`,
    );
    expect(audited.slice(-2).map(({ what }) => what)).toEqual(['commands.stop', 'epoch.raise']);

    // The host comes again and shows the same: of an epoch that is over. Nothing is said to it again, and new commands are taken.
    await one.host.disconnect(stack.database);
    await stack.connect(one.host, { newestCommand: one.courier.newestCommand() });
    await stack.driveAll();
    await stack.idle();
    expect(one.host.heard).toEqual([]);
    await create('bonding');
    expect(isTaken(await one.runs())).toBe(true);
    expect(one.world.kernel.effects).toHaveLength(3);
    expect(other.world.kernel.effects).toEqual([]);
  });

  it('is proven also when actions were accepted before the host came: a number has two actions', async () => {
    const one = await machine();
    await stack.connect(one.host);
    const restore = await backup();
    const lost = await create();
    await one.runs();
    await one.host.disconnect(stack.database);
    await restore();
    const second = await create('tun');
    await stack.connect(one.host, { newestCommand: one.courier.newestCommand() });
    expect((await stack.call<ActionList>('GET', '/actions')).body.alarm).toMatchObject({
      taken: { sequence: 1, actionId: lost.id },
    });
    // Had it been sent before the host was heard, the host would not have begun it.
    const [row] = await stack.database.query<{ id: string }>('SELECT id FROM action WHERE id = $1', [second.id]);
    expect(row?.id).toBe(second.id);
  });

  it('is proven by a keys folder that is older than the hosts, and the epoch is raised above theirs', async () => {
    const one = await machine();
    await command('raise');
    await command('raise');
    await stack.connect(one.host);
    await create();
    await one.runs();
    await one.host.disconnect(stack.database);
    writeFileSync(join(stack.stateDir, 'keys/epoch'), '1\n');
    await stack.connect(one.host, { newestCommand: one.courier.newestCommand() });
    expect((await stack.call<ActionList>('GET', '/actions')).body.alarm?.message).toContain('and here the epoch is 1');
    expect(await command('raise')).toContain('epoch 4;');
    await create('tun');
    expect(isTaken(await one.runs())).toBe(true);
  });

  it('and a raise that breaks off once it is recorded leaves commands stopped, and is finished by the next start or raise', async () => {
    const one = await machine();
    const { id } = await create();
    const config = { stateDir: stack.stateDir, keyPassphrase: undefined, bus: { kind: 'postgres' } as const };
    const epochFile = new EpochFile(join(stack.stateDir, 'keys'));
    const parts = await raiseParts(config, stack.database, epochFile);
    let commits = 0;
    const killed = new Proxy(stack.database, {
      get: (database, name) =>
        name === 'tx'
          ? async (...args: Parameters<typeof database.tx>) => {
              const result = await database.tx(...args);
              if ((commits += 1) === 1) throw new Error('killed');
              return result;
            }
          : (Reflect.get(database, name, database) as unknown),
    });
    const recorded = async (): Promise<string[]> =>
      (
        await stack.database.query<{ object: string }>(
          `SELECT object FROM audit.entry WHERE what = 'epoch.raise' ORDER BY at`,
        )
      ).map(({ object }) => object);
    await expect(raiseEpoch({ ...parts, database: killed })).rejects.toThrow('killed');
    expect([epochFile.read(), (await recorded()).at(-1)]).toEqual([1, '2']);
    expect(await command('show')).toContain('commands are stopped');
    const refused = await stack.call<Problem>('POST', '/actions', { host: 'web-1', verb: 'load', kmod: 'tun' });
    expect(refused.status).toBe(423);

    const rows = (await recorded()).length;
    expect(await finishRaise(parts)).toMatchObject({ epoch: 2, ended: 1, isStopped: false });
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'unconfirmed' });
    expect([epochFile.read(), epochFile.readRaise(), (await recorded()).length]).toEqual([2, undefined, rows]);
    expect(await finishRaise(parts)).toBeUndefined();
    await stack.connect(one.host);
    await create('tun');
    expect(isTaken(await one.runs())).toBe(true);

    commits = 0;
    await expect(raiseEpoch({ ...parts, database: killed })).rejects.toThrow('killed');
    expect(await command('raise')).toContain('epoch 4;');
    expect(await command('show')).toContain('commands are sent and accepted');

    // Killed before the commit: nothing was begun.
    const record = (): Promise<void> => Promise.reject(new Error('killed'));
    await expect(raiseEpoch({ ...parts, record })).rejects.toThrow('killed');
    expect(await command('show')).toContain('commands are sent and accepted');
    expect(await finishRaise(parts)).toBeUndefined();
    expect([epochFile.read(), epochFile.readRaise()]).toEqual([4, undefined]);
  });

  it('is not proven by a host’s word: what this server did not sign for it changes nothing', async () => {
    const one = await machine();
    const other = await machine('web-2');
    await stack.connect(one.host);
    await create();
    await one.runs();
    const true1 = one.courier.newestCommand();
    if (true1 === undefined) throw new Error('the host knows no command');
    const shown: ActionRequest[] = [
      { ...true1, sequence: 99 },
      { ...true1, epoch: 7 },
      { ...true1, sequence: 99, signature: Buffer.alloc(0), commandCertificate: Buffer.alloc(0) },
      { ...true1, sequence: Number.MAX_SAFE_INTEGER + 2 },
    ];
    for (const newestCommand of shown) {
      await one.host.disconnect(stack.database);
      await stack.connect(one.host, { newestCommand });
      expect((await stack.call<ActionList>('GET', '/actions')).body.alarm).toBeUndefined();
    }
    // Another host's command, true as it is, says nothing of this one.
    await stack.connect(other.host, { newestCommand: { ...true1, sequence: 1 } });
    expect((await stack.call<ActionList>('GET', '/actions')).body.alarm).toBeUndefined();
  });

  it('is got out of although the row of an action cannot be read: that one ends unread, and is named', async () => {
    const one = await machine();
    const [bad, good] = [await create(), await create('tun')];
    await stack.database.query('UPDATE action SET verb = 99 WHERE id = $1', [bad.id]);
    const raised = await command('raise');
    expect(raised).toMatch(new RegExp(`^action ${bad.id} ended without being read: .*verb 99`, 'm'));
    expect(raised).toContain('2 actions ended as unconfirmed. Commands are sent and accepted.');
    expect(await show(good.id)).toMatchObject({ state: 'ended', outcome: 'unconfirmed' });
    expect(
      await stack.database.query(
        `SELECT a.state, a.outcome, a.next_sweep_at, t.state AS told, t.note FROM action a JOIN action_transition t ON t.action_id = a.id
          WHERE a.id = $1 ORDER BY seq DESC LIMIT 1`,
        [bad.id],
      ),
    ).toEqual([
      {
        state: 'ended',
        outcome: Outcome.OUTCOME_UNCONFIRMED,
        next_sweep_at: null,
        told: 'ended',
        note: expect.stringMatching(/may have run, and it is not sent again; its row cannot be read/),
      },
    ]);
    await stack.connect(one.host);
    await create('veth');
    expect(isTaken(await one.runs())).toBe(true);
  });

  it('is got out of although an action cannot even be ended: it is as it was, never sent, and named', async () => {
    const one = await machine();
    const stuck = await create();
    await stack.database.query(
      `CREATE FUNCTION refuse_stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'this row is broken'; END $$`,
    );
    await stack.database.query(
      `CREATE TRIGGER refuse_stuck BEFORE UPDATE ON action FOR EACH ROW WHEN (OLD.id = '${stuck.id}') EXECUTE FUNCTION refuse_stuck()`,
    );
    try {
      const raised = await command('raise');
      expect(raised).toContain(`action ${stuck.id} could not be ended and is as it was: `);
      expect(raised).toContain('this row is broken');
      expect(raised).toContain('epoch 2; 0 actions ended as unconfirmed. Commands are sent and accepted.');
      expect(await command('show')).toContain('1 queued action of epoch 1');
      expect(await show(stuck.id)).toMatchObject({ state: 'queued' });
      await stack.connect(one.host);
      const { id } = await create('tun');
      expect(isTaken(await one.runs())).toBe(true);
      expect(await show(id)).toMatchObject({ outcome: 'succeeded' });
      expect(one.world.kernel.effects).toHaveLength(1);
    } finally {
      await stack.database.query('DROP TRIGGER refuse_stuck ON action');
      await stack.database.query('DROP FUNCTION refuse_stuck');
    }
    expect(await command('raise')).toContain('epoch 3; 1 action ended as unconfirmed');
  });

  it('is said to be in the middle of a raise that broke off, and the next raise ends that', async () => {
    await stack.database.query(`UPDATE command_stop SET at = now(), why = 'raising'`);
    await machine();
    const refused = await stack.call<Problem>('POST', '/actions', { host: 'web-1', verb: 'load', kmod: 'x' });
    expect(refused.body).toMatchObject({ code: 'database_behind', detail: expect.stringContaining('has not ended') });
    await command('raise');
    await create();
  });
});
