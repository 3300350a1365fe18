import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, hostId } from '../testing/samples.ts';

const cli = useCli();

describe('freeze and thaw', () => {
  it('freezes with a reason', async () => {
    cli.server().on('POST /freeze', json({ freeze: { by: 'admin', reason: 'incident', at: AS_OF } }));
    const { code, err } = await cli.run(['freeze', '--reason', 'incident']);
    expect(code).toBe(0);
    expect(err).toContain('The fleet is frozen since 14:03, by admin: incident.');
    expect(cli.server().requests[0]?.body).toEqual({ reason: 'incident' });
    expect((await cli.run(['freeze'])).code).toBe(2);
    expect((await cli.run(['freeze', '--reason', ' '])).code).toBe(2);
  });

  it('thaws', async () => {
    cli.server().on('POST /thaw', json({ freeze: null }));
    expect((await cli.run(['thaw', '--json', 'freeze'])).out).toBe('{"freeze":null}\n');
    expect((await cli.run(['thaw'])).err).toContain('No freeze holds now');
  });

  it('does not call a fleet thawed that somebody froze again', async () => {
    cli.server().on('POST /thaw', json({ freeze: { by: 'night shift', reason: 'storage', at: AS_OF } }));
    expect((await cli.run(['thaw'])).err).toContain('night shift has frozen the fleet again: storage');
  });

  it('a frozen fleet takes no action: exit 6, with the way out', async () => {
    cli.server().on('POST /actions', problem(423, 'frozen', 'the fleet is frozen by admin: incident'));
    const { code, err } = await cli.run(['kmods', 'load', 'x', '--host', 'h']);
    expect([code, err]).toEqual([
      6,
      'modfleet: the fleet is frozen by admin: incident\n  lift the freeze: modfleet thaw\n',
    ]);
  });
});

describe('an alarm', () => {
  const message = 'Host web-1 (x) has taken command 10 of epoch 1, and here the newest command for it is 7 of epoch 1';

  it('is said by every command, once, beside what it was asked for', async () => {
    const alarm = { code: 'database_behind', at: AS_OF, message, host: null, taken: null, known: null };
    cli.server().on('GET /join-tokens', json({ items: [], nextCursor: null, freeze: null, alarm }));
    const { code, err } = await cli.run(['join-tokens', 'list']);
    expect(code).toBe(0);
    expect(err.split('\n').filter((line) => line === `Alarm: ${message}`)).toHaveLength(1);
  });

  it('stops new actions: exit 6, with the way out', async () => {
    cli.server().on('POST /actions', problem(423, 'database_behind', message));
    const { code, err } = await cli.run(['kmods', 'load', 'x', '--host', 'h']);
    expect([code, err]).toEqual([6, `modfleet: ${message}\n  on the server's machine: modfleet-server epoch show\n`]);
  });
});

describe('join-tokens', () => {
  const token = {
    id: hostId(7),
    name: 'rack 4',
    prefix: 'mfj_AbCd',
    labels: { env: 'lab' },
    maxUses: 3,
    uses: 1,
    expiresAt: '2026-11-22T14:33:00.000Z',
    revokedAt: null,
    createdBy: 'admin',
    createdAt: AS_OF,
    state: 'open',
  };

  it('prints the join string alone on stdout', async () => {
    cli.server().on('POST /join-tokens', json({ ...token, joinString: 'mfj_x.y', freeze: null }, 201));
    const { out, err } = await cli.run([
      'join-tokens',
      'create',
      '--name',
      'rack 4',
      '--uses',
      '3',
      '--expires-in',
      '30m',
      '--label',
      'env=lab',
      '--label',
      'a=b',
    ]);
    expect(out).toBe('mfj_x.y\n');
    expect(err).toContain('modfleet-agent join');
    expect(cli.server().requests[0]?.body).toEqual({
      name: 'rack 4',
      maxUses: 3,
      expiresIn: 1800,
      labels: { env: 'lab', a: 'b' },
    });
  });

  it('lists without any secret', async () => {
    cli.server().on('GET /join-tokens', json({ items: [token], nextCursor: null, freeze: null }));
    expect((await cli.run(['join-tokens', 'list'], { columns: 120 })).out).toMatchInlineSnapshot(`
      "ID                                    NAME    TOKEN      STATE  USED    EXPIRES  BY     LABELS
      11111111-1111-4111-8111-000000000007  rack 4  mfj_AbCd…  open   1 of 3  14:33    admin  env=lab
      "
    `);
  });

  it('says which was made or changed outside the server', async () => {
    cli
      .server()
      .on('GET /join-tokens', json({ items: [{ ...token, state: 'broken' }], nextCursor: null, freeze: null }));
    expect((await cli.run(['join-tokens', 'list'])).out.split('\t')[3]).toBe('broken');
  });

  it('revokes', async () => {
    cli.server().on(`DELETE /join-tokens/${hostId(7)}`, json({ ...token, state: 'revoked', freeze: null }));
    expect((await cli.run(['join-tokens', 'revoke', hostId(7)])).err).toContain('1 host joined by it and stay.');
    cli.server().on(`DELETE /join-tokens/${hostId(7)}`, json({ ...token, name: '', state: 'revoked', freeze: null }));
    expect((await cli.run(['join-tokens', 'revoke', hostId(7)])).err).toContain(`Join token ${hostId(7)} is revoked.`);
  });

  it('refuses what cannot be, before anything is sent', async () => {
    for (const options of [
      ['--uses', '0'],
      ['--uses', '1e9'],
      ['--expires-in', '25h'],
      ['--label', 'x'],
      ['--label', 'a=1', '--label', 'a=2'],
    ]) {
      expect([options, (await cli.run(['join-tokens', 'create', ...options])).code]).toEqual([options, 2]);
    }
    expect((await cli.run(['join-tokens', 'revoke', 'rack'])).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
  });
});
