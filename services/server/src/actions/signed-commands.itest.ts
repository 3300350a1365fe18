import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Outcome, requestDigestBeforeSignatures, SessionResponse } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryJournal } from '../../../../agent/src/actions/journal/memory-journal.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { ActionStack } from './testing/action-stack.ts';
import { resultOf } from './testing/fake-host.ts';
import { isTaken, signedMachines } from '../../../../tests/support/signed-machines.ts';

let stack: ActionStack;
const { machine, create, show, command } = signedMachines((started) => (stack = started));

describe('a command', () => {
  it('is numbered and signed when it is accepted, and taken by its host', async () => {
    const one = await machine();
    await stack.connect(one.host);
    for (const [number, kmod] of [
      [1, 'dummy'],
      [2, 'tun'],
    ] as const) {
      const { id } = await create(kmod);
      expect(isTaken(await one.runs())).toBe(true);
      expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'succeeded' });
      const rows = await stack.database.query(
        'SELECT epoch, sequence, length(signature) AS bytes FROM action WHERE id = $1',
        [id],
      );
      expect(rows).toEqual([{ epoch: 1, sequence: number, bytes: 64 }]);
    }
    expect(one.world.kernel.effects).toHaveLength(2);
    const certificates = await stack.database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM command_certificate',
    );
    expect(certificates[0]?.count).toBe(1);
  });

  it('of a dry run is believed as any other, by the helper that only looks', async () => {
    const one = await machine();
    await stack.connect(one.host);
    await create('dummy', 'web-1', { dryRun: true });
    expect(isTaken(await one.runs())).toBe(true);
    expect(one.world.kernel.effects).toEqual([]);
  });

  const tampered: readonly [column: string, change: string, code: string][] = [
    ['verb', '2', 'signature_invalid'],
    ['kmod', `'tun'`, 'signature_invalid'],
    ['parameters', `'{a=1}'`, 'signature_invalid'],
    ['dry_run', 'true', 'signature_invalid'],
    ['expires_at', `expires_at + interval '1 hour'`, 'signature_invalid'],
    ['confirm_window_s', '60', 'signature_invalid'],
    ['overrides', `'{route}'`, 'signature_invalid'],
    ['sequence', 'sequence + 1', 'signature_invalid'],
    ['not_before', `not_before - interval '1 minute'`, 'signature_invalid'],
    ['signature', `decode(repeat('00', 64), 'hex')`, 'signature_invalid'],
    ['signature', 'NULL', 'signature_invalid'],
    ['command_certificate', 'NULL', 'signature_invalid'],
    ['epoch', '0', 'signature_invalid'],
  ];
  it.each(tampered)(
    'whose %s was changed in Postgres (%s) is refused by the host, and says so',
    async (column, change, code) => {
      const one = await machine();
      const { id } = await create();
      const [row] = await stack.database.query<{ id: string }>(
        `UPDATE action SET ${column} = ${change} WHERE id = $1 RETURNING id`,
        [id],
      );
      await stack.connect(one.host);
      const result = await one.runs();
      expect(result).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: code });
      expect(one.world.kernel.effects).toEqual([]);
      const shown = await show(row?.id ?? '');
      expect(shown).toMatchObject({ state: 'ended', outcome: 'refused', result: { reasonCode: code } });
      expect(shown.message).toContain('nothing was touched');
    },
  );

  it('that was moved to another host is refused there', async () => {
    const one = await machine();
    const other = await machine('web-2');
    const { id } = await create();
    await stack.database.query('UPDATE action SET host_id = $1 WHERE id = $2', [other.host.id, id]);
    await stack.connect(other.host);
    expect(await other.runs()).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'signature_invalid' });
    expect([...one.world.kernel.effects, ...other.world.kernel.effects]).toEqual([]);
  });

  it('whose id was changed, or that was made up in Postgres, is not sent: nobody asked for it; and its host would refuse it', async () => {
    const one = await machine();
    await create();
    const [made] = await stack.database.query<{ id: string }>(
      `INSERT INTO action (id, host_id, verb, kmod, requested_by, request_digest, expires_at, epoch, sequence, not_before, signature, command_certificate,
                           requested_account, requested_token, requester_seal)
       SELECT gen_random_uuid(), host_id, 2, kmod, requested_by, request_digest, expires_at, epoch, sequence + 1, not_before, signature, command_certificate,
              requested_account, requested_token, requester_seal FROM action RETURNING id`,
    );
    await stack.connect(one.host);
    expect(isTaken(await one.runs())).toBe(true);
    await stack.driveAll();
    await stack.idle();
    expect(one.host.heard.filter(({ $case }) => $case === 'actionRequest')).toEqual([]);
    expect((await show(made?.id ?? '')).timeline.map(({ state }) => state)).not.toContain('dispatched');
    const { message } = SessionResponse.decode(one.recorded[0] ?? Buffer.alloc(0));
    if (message?.$case !== 'actionRequest') throw new Error('no request');
    const renamed: SessionResponse = {
      message: { $case: 'actionRequest', value: { ...message.value, actionId: made?.id ?? '' } },
    };
    const result = await one.replays(Buffer.from(SessionResponse.encode(renamed).finish()));
    expect(result).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'signature_invalid' });
    expect(one.world.kernel.effects).toHaveLength(1);
  });
});

describe('recorded frames', () => {
  it('are refused by the same host, another one, after it joined anew, and in a later epoch', async () => {
    const one = await machine();
    const other = await machine('web-2');
    await stack.connect(one.host);
    await create();
    expect(isTaken(await one.runs())).toBe(true);
    const [bytes] = one.recorded;
    if (bytes === undefined) throw new Error('nothing was recorded');

    // The same host: answered from what it remembers, and refused where it remembers nothing but the newest command.
    expect(await one.replays(bytes)).toMatchObject({ outcome: Outcome.OUTCOME_SUCCEEDED });
    await create('tun');
    await one.runs();
    one.world.journal = new MemoryJournal();
    expect(await one.replays(bytes)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'sequence_used' });
    expect(one.world.kernel.effects).toHaveLength(2);

    expect(await other.replays(bytes)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'wrong_host' });

    const anew = await machine('web-1-anew');
    anew.world.newest.newest = one.world.newest.newest;
    expect(await anew.replays(bytes)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'wrong_host' });
    expect([...other.world.kernel.effects, ...anew.world.kernel.effects]).toEqual([]);

    await command('raise');
    await create('veth');
    expect(isTaken(await one.runs())).toBe(true);
    one.world.journal = new MemoryJournal();
    for (const frame of one.recorded.slice(0, 2))
      expect(await one.replays(frame)).toMatchObject({ outcome: Outcome.OUTCOME_REFUSED, reasonCode: 'epoch_stale' });
    expect(one.world.kernel.effects).toHaveLength(3);
  });
});

describe('the key', () => {
  it('may be another one: hosts take what it signs at once, and what waits under the old one too', async () => {
    const one = await machine();
    await create();
    const keys = stack.app.get(ServerKeys);
    const file = join(stack.stateDir, 'keys/command.key');
    const before = readFileSync(file);
    writeFileSync(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
    // A replica that was started since signs with it.
    const replica = await ActionStack.start(stack.databaseUrl);
    try {
      expect(replica.app.get(ServerKeys).command.equals(keys.command)).toBe(false);
      await replica.call('POST', '/actions', { host: 'web-1', verb: 'load', kmod: 'tun' });
    } finally {
      await replica.stop();
      writeFileSync(file, before);
    }
    await stack.connect(one.host);
    expect([isTaken(await one.runs()), isTaken(await one.runs())]).toEqual([true, true]);
    expect(one.world.kernel.effects).toHaveLength(2);
    const certificates = await stack.database.query('SELECT DISTINCT command_certificate FROM action');
    expect(certificates).toHaveLength(2);
  });
});

describe('an agent of before signatures', () => {
  it('works as before: it reports under the digest that it knows', async () => {
    const host = await stack.enroll('old-1');
    await stack.connect(host);
    const { id } = await create('dummy', 'old-1');
    const request = await host.next('actionRequest');
    const requestDigest = Buffer.from(requestDigestBeforeSignatures(request));
    await host.reports({ ...resultOf(request, Outcome.OUTCOME_SUCCEEDED), requestDigest });
    expect(await host.next('resultAck')).toEqual({ actionIds: [id] });
    expect(await show(id)).toMatchObject({ state: 'ended', outcome: 'succeeded' });
  });
});
