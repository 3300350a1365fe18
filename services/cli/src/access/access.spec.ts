import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, hostId } from '../testing/samples.ts';

const cli = useCli();

const account = {
  id: hostId(1),
  name: 'deploy',
  kind: 'service',
  createdBy: 'admin',
  createdAt: AS_OF,
  disabledAt: null,
  disabledBy: null,
  sealed: true,
  password: 'none',
  identities: [] as object[],
};
const grant = {
  id: hostId(2),
  account: { id: hostId(1), name: 'deploy' },
  role: 'operator',
  selector: 'env=staging',
  createdBy: 'admin',
  createdAt: AS_OF,
  endsAt: null as string | null,
  ended: false,
  revokedAt: null,
  revokedBy: null,
  sealed: true,
};
const token = {
  id: hostId(3),
  account: { id: hostId(1), name: 'deploy' },
  name: 'ci',
  prefix: 'mfl_AbCdEfGh',
  routes: ['GET /api/v1/hosts'],
  createdBy: 'admin',
  createdAt: AS_OF,
  expiresAt: '2027-02-20T14:03:00.000Z',
  lastUsedAt: null,
  revokedAt: null,
  revokedBy: null,
  state: 'open',
  sealed: true,
};

describe('accounts', () => {
  it('are listed, those that were changed by hand as such', async () => {
    const items = [account, { ...account, name: 'odd', sealed: false }];
    cli.server().on('GET /accounts', json({ items, nextCursor: null, freeze: null }));
    expect((await cli.run(['accounts', 'list'])).out).toBe(
      `deploy\tservice\tenabled\t${AS_OF}\tadmin\t${hostId(1)}\t\nodd\tservice\tbroken\t${AS_OF}\tadmin\t${hostId(1)}\t\n`,
    );
    expect((await cli.run(['accounts', 'list'], { columns: 200 })).out).not.toContain('SIGNS IN WITH');
  });

  it('are listed with what they sign in with, also by a server that does not say it', async () => {
    const identity = {
      issuer: 'https://id.example.org',
      subject: '17',
      linkedBy: 'boss',
      linkedAt: AS_OF,
      lastUsedAt: null,
    };
    const kim = {
      ...account,
      name: 'kim',
      kind: 'person',
      password: 'own',
      identities: [{ ...identity, sealed: true }],
    };
    const odd = { ...kim, password: 'one_time', identities: [{ ...identity, sealed: false }] };
    const { password: _password, identities: _identities, ...old } = kim;
    cli.server().on('GET /accounts', json({ items: [kim, odd, old], nextCursor: null, freeze: null }));
    const { out } = await cli.run(['accounts', 'list']);
    expect(out.split('\n').map((line) => line.split('\t')[6])).toEqual([
      'password, 17 at https://id.example.org',
      'one-time password, 17 at https://id.example.org (changed outside the server)',
      '',
      undefined,
    ]);
    expect((await cli.run(['accounts', 'list'], { columns: 200 })).out).toContain('SIGNS IN WITH');
  });

  it('are made, disabled and enabled', async () => {
    cli.server().on('POST /accounts', json({ ...account, freeze: null }, 201));
    const made = await cli.run(['accounts', 'create', 'deploy']);
    expect([made.code, made.out]).toEqual([0, '']);
    expect(made.err).toContain('modfleet grants add --account deploy');
    expect(cli.server().requests[0]?.body).toEqual({ name: 'deploy' });
    cli.server().on('POST /accounts/deploy/disable', json({ ...account, disabledAt: AS_OF, freeze: null }));
    const disabled = await cli.run(['accounts', 'disable', 'deploy']);
    expect(disabled.err).toContain('is disabled');
    // A server of an earlier version leaves the tokens.
    expect(disabled.err).toContain('its API tokens hold again');
    cli
      .server()
      .on('POST /accounts/deploy/disable', json({ ...account, disabledAt: AS_OF, tokensEnded: 2, freeze: null }));
    expect((await cli.run(['accounts', 'disable', 'deploy'])).err).toContain(
      '2 API tokens and all sign-ins of it ended',
    );
    cli.server().on('POST /accounts', json({ ...account, name: 'kim', kind: 'person', freeze: null }, 201));
    const person = await cli.run(['accounts', 'create', 'kim', '--kind', 'person']);
    expect(person.err).toContain('modfleet accounts passwd kim');
    expect(person.err).not.toContain('tokens create');
    cli.server().on('POST /accounts/deploy/enable', problem(409, 'last_admin', 'deploy is the last account'));
    expect((await cli.run(['accounts', 'enable', 'deploy'])).code).toBe(6);
    expect((await cli.run(['accounts', 'create', 'a b'])).code).toBe(2);
  });
});

describe('grants', () => {
  it('are given over some hosts or over all, never over what was not said', async () => {
    cli.server().on('POST /grants', json({ ...grant, freeze: null }, 201));
    const some = await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'operator', '--on', 'env=staging']);
    expect(some.err).toContain('deploy is operator over the hosts that match env=staging.');
    await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'viewer', '--all']);
    expect(cli.server().requests.map((request) => request.body)).toEqual([
      { account: 'deploy', role: 'operator', selector: 'env=staging' },
      { account: 'deploy', role: 'viewer', all: true },
    ]);
    expect((await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'viewer'])).code).toBe(2);
    expect((await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'root', '--all'])).code).toBe(2);
    expect(
      (await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'viewer', '--all', '--on', 'a=b'])).code,
    ).toBe(2);
  });

  it('say what a label without a value means', async () => {
    cli.server().on('POST /grants', json({ ...grant, selector: 'team=a,env=', freeze: null }, 201));
    const made = await cli.run(['grants', 'add', '--account', 'deploy', '--role', 'viewer', '--on', 'team=a,env=']);
    expect(made.err).toContain('"env=" are hosts whose label env is there and empty; those without it are !env');
    expect(made.err).not.toContain('"team=');
  });

  it('are listed and taken back', async () => {
    cli
      .server()
      .on('GET /grants', json({ items: [grant, { ...grant, selector: null }], nextCursor: null, freeze: null }));
    const listed = await cli.run(['grants', 'list', '--account', 'deploy', '--revoked']);
    expect(listed.out.split('\n').map((line) => line.split('\t')[2])).toEqual(['env=staging', '--all', undefined]);
    expect(cli.server().requests[0]?.query).toMatchObject({ account: 'deploy', includeRevoked: 'true' });
    cli.server().on(`DELETE /grants/${hostId(2)}`, json({ ...grant, revokedAt: AS_OF, freeze: null }));
    expect((await cli.run(['grants', 'remove', hostId(2)])).err).toContain('no more');
    expect((await cli.run(['grants', 'remove', 'x'])).code).toBe(2);
  });
});

describe('tokens', () => {
  it('are made, the secret alone on stdout', async () => {
    cli.server().on('POST /tokens', json({ ...token, token: 'mfl_secret', freeze: null }, 201));
    const { out, err } = await cli.run([
      'tokens',
      'create',
      '--account',
      'deploy',
      '--name',
      'ci',
      '--expires-in',
      '1h',
      '--route',
      'GET /api/v1/hosts',
    ]);
    expect(out).toBe('mfl_secret\n');
    expect(err).toContain('It acts as deploy until');
    expect(err).toContain('It may call: GET /api/v1/hosts');
    expect(cli.server().requests[0]?.body).toEqual({
      account: 'deploy',
      name: 'ci',
      expiresIn: 3600,
      routes: ['GET /api/v1/hosts'],
    });
    await cli.run(['tokens', 'create', '--never-expires']);
    expect(cli.server().requests[1]?.body).toEqual({ expiresIn: null });
    expect((await cli.run(['tokens', 'create', '--never-expires', '--expires-in', '1h'])).code).toBe(2);
  });

  it('are listed and revoked; a whole token on the command line is not sent', async () => {
    cli.server().on('GET /tokens', json({ items: [token], nextCursor: null, freeze: null }));
    expect((await cli.run(['tokens', 'list'])).out).toContain('mfl_AbCdEfGh\tdeploy\tci\topen\t');
    cli.server().on('DELETE /tokens/mfl_AbCdEfGh', json({ ...token, state: 'revoked', freeze: null }));
    const whole = `mfl_AbCdEfGh${'x'.repeat(35)}`;
    expect((await cli.run(['tokens', 'revoke', whole])).err).toContain('mfl_AbCdEfGh… (ci) is revoked');
    expect(cli.server().requests[1]?.path).toBe('/tokens/mfl_AbCdEfGh');
  });
});

describe('errors of the server', () => {
  const invalid = (path: string, message: string) =>
    problem(400, 'body_invalid', `${path}: ${message}`, { errors: [{ path, message }] });

  it('name what was typed, not the field of the API', async () => {
    cli.server().on('POST /tokens', invalid('routes.0', 'there is no such route'));
    const token = await cli.run(['tokens', 'create', '--route', 'GET /nothing']);
    expect(token.err).toBe('modfleet: --route: there is no such route\n');
    cli.server().on('POST /join-tokens', invalid('labels.@os', 'a label key has letters'));
    const label = await cli.run(['join-tokens', 'create', '--label', '@os=x']);
    expect(label.err).toBe('modfleet: the label "@os": a label key has letters\n');
  });
});

describe('whoami', () => {
  const me = {
    account: { id: hostId(1), name: 'deploy', kind: 'service' },
    credential: { kind: 'token', id: hostId(3), expiresAt: null, routes: null },
    address: '192.0.2.7',
    grants: [{ id: hostId(2), role: 'operator', selector: 'env in (staging)' }],
    brokenGrants: 1,
    may: [{ what: 'act', over: ['env in (staging)'] }],
    freeze: null,
  };
  it('says who, from where, and what', async () => {
    cli.server().on('GET /me', json(me));
    const { out, err } = await cli.run(['whoami']);
    expect(out).toBe(
      [
        'account  deploy (service)',
        `by       token ${hostId(3)}, until revoked`,
        'from     192.0.2.7',
        'grant    operator over env in (staging)',
        'may      act over env in (staging)',
        '',
      ].join('\n'),
    );
    expect(err).toContain('1 of its grants');
  });
  it('is told of a disabled account, and of asking too often', async () => {
    cli
      .server()
      .on(
        'GET /me',
        problem(403, 'account_disabled', 'the account deploy was disabled'),
        problem(429, 'rate_limited', 'too often'),
      );
    expect((await cli.run(['whoami'])).code).toBe(4);
  });
});
