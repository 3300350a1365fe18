import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SignInItem } from '@modfleet/server/api-types';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';

const cli = useCli();
const ID = '44444444-4444-4444-8444-444444444444';
const item = (fields: Partial<SignInItem> = {}): SignInItem => ({
  id: ID,
  account: { id: '33333333-3333-4333-8333-333333333333', name: 'kim' },
  way: 'password',
  carrier: 'bearer',
  place: '192.0.2.7',
  agent: 'node',
  createdAt: '2026-11-22T14:00:00.000Z',
  lastUsedAt: '2026-11-22T14:03:00.000Z',
  expiresAt: '2026-11-23T02:00:00.000Z',
  current: true,
  ...fields,
});

describe('sessions', () => {
  it('are listed with what there is to tell them apart', async () => {
    const other = item({ id: ID.replaceAll('4', '5'), way: 'oidc', place: '2001:db8:1:2::/64', current: false });
    cli.server().on('GET /sessions', json({ items: [item(), other], nextCursor: null, freeze: null }));
    const piped = await cli.run(['sessions', 'list', '--all']);
    expect(cli.server().requests[0]?.query).toMatchObject({ all: 'true' });
    expect(piped.out).toBe(
      `${ID}\tkim\tpassword\t192.0.2.7\t2026-11-22T14:03:00.000Z\t2026-11-23T02:00:00.000Z\tyes\tnode\n` +
        `${other.id}\tkim\toidc\t2001:db8:1:2::/64\t2026-11-22T14:03:00.000Z\t2026-11-23T02:00:00.000Z\tno\tnode\n`,
    );
    const table = await cli.run(['sessions', 'list', '--account', 'kim'], { columns: 200 });
    expect(cli.server().requests[1]?.query).toMatchObject({ account: 'kim' });
    expect(table.out).toContain('THIS ONE');
    expect((await cli.run(['sessions', 'list', '--account', 'kim', '--all'])).code).toBe(2);
  });

  it('are ended by id', async () => {
    const ended = { ...item(), endedAt: '2026-11-22T14:03:30.000Z', freeze: null };
    cli.server().on(`DELETE /sessions/${ID}`, json(ended));
    const { code, err } = await cli.run(['sessions', 'end', ID]);
    expect([code, err]).toEqual([0, 'The sign-in of kim from 192.0.2.7 has ended.\n']);
    expect(cli.server().requests[0]?.headers['idempotency-key']).toBeDefined();
    cli.server().on(`DELETE /sessions/${ID}`, json({ ...ended, tokensEnded: 0, apiTokens: 2 }));
    expect((await cli.run(['sessions', 'end', ID])).err).toContain(
      '2 API tokens of kim go on being good: modfleet tokens list --account kim\n',
    );
    cli.server().on(`DELETE /sessions/${ID}`, json({ ...ended, tokensEnded: 2, apiTokens: 0 }));
    expect((await cli.run(['sessions', 'end', ID, '--tokens'])).err).toContain('2 API tokens of kim ended with it.\n');
    expect(cli.server().requests.map(({ body }) => body)).toEqual([{}, {}, { endTokens: true }]);
    expect((await cli.run(['sessions', 'end', 'x'])).code).toBe(2);
    cli.server().on(`DELETE /sessions/${ID}`, problem(404, 'session_not_found', 'there is no open sign-in'));
    const gone = await cli.run(['sessions', 'end', ID]);
    expect([gone.code, gone.err]).toEqual([
      3,
      'modfleet: there is no open sign-in\n  see which there are: modfleet sessions list\n',
    ]);
  });
});

describe('passwords', () => {
  it('one’s own: asked for three times, sent once', async () => {
    cli.server().on('POST /me/password', json({ signInsEnded: 2, freeze: null }));
    const { code, err } = await cli.run(['passwd'], {
      typed: ['old one', 'seven sleepy herons', 'seven sleepy herons'],
    });
    expect([code, err]).toEqual([
      0,
      'Password of now (not shown): New password (not shown): The same again: Changed. 2 other sign-ins ended.\n',
    ]);
    expect(cli.server().requests[0]?.body).toEqual({ password: 'old one', newPassword: 'seven sleepy herons' });
    const file = join(cli.folder(), 'new');
    writeFileSync(file, 'nine eager badgers\n');
    await cli.run(['passwd', '--password-file', '-', '--new-password-file', file], { piped: 'old one\n' });
    expect(cli.server().requests[1]?.body).toEqual({ password: 'old one', newPassword: 'nine eager badgers' });
    expect((await cli.run(['passwd', '--password-file', '-', '--new-password-file', '-'])).code).toBe(2);
    const half = await cli.run(['passwd', '--password-file', file]);
    expect(half.err).toContain('give it: --new-password-file FILE');
    expect(half.err).not.toContain('give it: --password-file');
  });

  it('another’s: for one sign-in, alone on stdout', async () => {
    const account = item().account;
    const made = {
      account,
      password: 'abcde-fghjk-mnpqr-stvwx',
      expiresAt: '2026-11-23T14:03:30.000Z',
      signInsEnded: 1,
      freeze: null,
    };
    cli.server().on('POST /accounts/kim/password', json(made, 201));
    const { code, out, err } = await cli.run(['accounts', 'passwd', 'kim']);
    expect([code, out]).toEqual([0, 'abcde-fghjk-mnpqr-stvwx\n']);
    expect(err).toContain('Good for one sign-in of kim, until 23 Nov 14:03;');
    expect(err).toContain('modfleet login --user kim');
    expect(err).not.toContain('disabled');
    const more = { disabled: true, tokensEnded: 0, apiTokens: 1 };
    cli.server().on('POST /accounts/kim/password', json({ ...made, ...more }, 201));
    const disabled = await cli.run(['accounts', 'passwd', 'kim']);
    expect(disabled.err).toContain('The account is disabled: nobody signs in with it before it is enabled');
    expect(disabled.err).toContain('1 API token of kim goes on being good');
    expect(disabled.err).toContain('all at once: modfleet accounts passwd kim --tokens');
    await cli.run(['accounts', 'passwd', 'kim', '--tokens']);
    expect(cli.server().requests.map(({ body }) => body)).toEqual([{}, {}, { endTokens: true }]);
  });

  it('an identity is linked by its subject', async () => {
    const linked = { account: item().account, issuer: 'https://id.example.org', subject: 'sub-1', freeze: null };
    cli.server().on('POST /accounts/kim/identities', json(linked, 201));
    const { code, err } = await cli.run(['accounts', 'link', 'kim', '--subject', 'sub-1']);
    expect([code, err]).toEqual([0, 'sub-1 at https://id.example.org signs in as kim.\n']);
    expect(cli.server().requests[0]?.body).toEqual({ subject: 'sub-1' });
    expect((await cli.run(['accounts', 'link', 'kim'])).code).toBe(2);
  });

  it('are taken away, with what is left', async () => {
    const account = item().account;
    const none = { password: 'none', identities: [], apiTokens: 0, groupGrants: 0 };
    const linked = {
      issuer: 'https://id.example.org',
      subject: 'sub-1',
      linkedBy: 'boss',
      linkedAt: '2026-11-22T14:00:00.000Z',
    };
    const left = { ...none, identities: [{ ...linked, lastUsedAt: null, sealed: true }], groupGrants: 1 };
    cli.server().on('DELETE /accounts/kim/password', json({ account, signInsEnded: 1, left, freeze: null }));
    const removed = await cli.run(['accounts', 'remove-password', 'kim']);
    expect([removed.code, removed.err]).toEqual([
      0,
      'kim has no password any more; 1 sign-in ended.\nkim still signs in with: sub-1 at https://id.example.org.\n',
    ]);
    expect(cli.server().requests[0]?.headers['idempotency-key']).toBeDefined();

    const last = { ...none, apiTokens: 1, groupGrants: 2 };
    const unlinked = { account, ...linked, signInsEnded: 2, left: last, freeze: null };
    cli.server().on('DELETE /accounts/kim/identities', json(unlinked));
    const gone = await cli.run(['accounts', 'unlink', 'kim', '--subject', 'sub-1']);
    expect([gone.code, gone.err]).toEqual([
      0,
      'sub-1 at https://id.example.org signs in as kim no more; 2 sign-ins ended.\nkim has no way to sign in now.\n' +
        '  1 API token of it still works: modfleet tokens list --account kim\n' +
        "  2 grants that the provider's groups gave hold until their ends: modfleet grants list --account kim\n",
    ]);
    expect(cli.server().requests[1]?.body).toEqual({ subject: 'sub-1' });
    await cli.run([
      'accounts',
      'unlink',
      'kim',
      '--subject',
      'sub-1',
      '--issuer',
      'https://id.example.org',
      '--json',
      'left',
    ]);
    expect(cli.server().requests[2]?.body).toEqual({ subject: 'sub-1', issuer: 'https://id.example.org' });

    cli
      .server()
      .on('DELETE /accounts/kim/identities', problem(404, 'identity_not_found', 'no identity "x" signs in as kim'));
    const none404 = await cli.run(['accounts', 'unlink', 'kim', '--subject', 'x']);
    expect([none404.code, none404.err]).toEqual([
      3,
      'modfleet: no identity "x" signs in as kim\n  see which there are: modfleet accounts list\n',
    ]);
    expect((await cli.run(['accounts', 'unlink', 'kim'])).code).toBe(2);
  });
});
