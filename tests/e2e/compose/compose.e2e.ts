import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../scripts/lib/embedded-postgres.mjs';
import { ComposeProject, must } from '../support/compose-project.ts';
import type { CommandEnd } from '../support/processes.ts';
import { eventually } from '../support/wait.ts';

const BUILD_LIMIT_MS = 900_000;

const project = new ComposeProject('');
const passwords = { postgres: 'a password of this test only', server: 'another one/of+this test only' };
const joinFile = project.secret('join_token', '');
const compose = (...args: string[]): Promise<CommandEnd> => project.compose(...args);
const inspect = (service: string, format: string): Promise<string> => project.inspect(service, format);

async function cli(...args: string[]): Promise<CommandEnd> {
  const caFile = join(project.folder, 'ca.pem');
  writeFileSync(caFile, await must(compose('exec', '-T', 'server', 'cat', '/var/lib/modfleet/ca/ca.crt')));
  const url = `https://localhost:${project.env['MODFLEET_HTTP_PORT']}`;
  return project.cli('server', { url, caFile }, ...args);
}

beforeAll(async () => {
  await project.prepare();
  Object.assign(project.env, {
    MODFLEET_POSTGRES_PASSWORD_FILE: project.secret('postgres_password', passwords.postgres),
    MODFLEET_SERVER_PASSWORD_FILE: project.secret('server_password', passwords.server),
    MODFLEET_JOIN_TOKEN_FILE: joinFile,
    MODFLEET_HTTP_PORT: String(await freePort()),
    MODFLEET_SESSION_PORT: String(await freePort()),
    MODFLEET_IDENTITY_PORT: String(await freePort()),
  });
  await must(compose('up', '-d', '--build'));
  await project.healthy('server');
}, BUILD_LIMIT_MS);

afterAll(() => project.down('agent'), 120_000);

it('runs nothing as root, on read-only roots, with a health check on each', async () => {
  for (const service of ['postgres', 'server']) {
    expect(await inspect(service, '{{.HostConfig.ReadonlyRootfs}}')).toBe('true');
    const uid = (await must(compose('exec', '-T', service, 'id', '-u'))).trim();
    expect(uid).not.toBe('0');
    expect(await inspect(service, '{{.State.Health.Status}}')).toBe('healthy');
  }
});

it("keeps the passwords out of the containers' settings", async () => {
  for (const service of ['postgres', 'migrate', 'server']) {
    const settings = await inspect(service, '{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}}');
    for (const password of Object.values(passwords)) expect(settings).not.toContain(password);
  }
});

it("gives the superuser's password to the database and to what migrates, and to the server one of its own", async () => {
  const secretsOf = async (service: string): Promise<string[]> =>
    (await inspect(service, '{{range .Mounts}}{{.Destination}} {{end}}'))
      .split(' ')
      .filter((path) => path.startsWith('/run/secrets/'))
      .sort();
  expect(await secretsOf('postgres')).toEqual(['/run/secrets/postgres_password']);
  expect(await secretsOf('migrate')).toEqual(['/run/secrets/postgres_password', '/run/secrets/server_password']);
  expect(await secretsOf('server')).toEqual(['/run/secrets/server_password']);
  expect(await inspect('migrate', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 0');
});

it('has an audit log that the server can only append to', async () => {
  const frozen = await cli('freeze', '--reason', 'to see a row');
  expect(frozen.code, frozen.stderr).toBe(0);
  const thawed = await cli('thaw');
  expect(thawed.code, thawed.stderr).toBe(0);
  const end = await cli('audit', 'verify');
  expect(end.code, end.stdout + end.stderr).toBe(0);
  expect(end.stdout).toMatch(/^append-only +enforced: the server's role modfleet may only read and append$/m);
  const asServer = await compose('exec', '-T', 'server', 'modfleet-server', 'audit', 'verify');
  expect(asServer.stdout).toContain('append-only: enforced');
});

it("says what is wrong with the superuser's password, and with the server's", async () => {
  const wrong = project.secret('wrong', 'not this one');
  const asSuperuser = await project.with(
    { MODFLEET_POSTGRES_PASSWORD_FILE: wrong },
    'run',
    '--rm',
    '-T',
    '--no-deps',
    'migrate',
  );
  expect(asSuperuser.code).toBe(2);
  expect(asSuperuser.stdout + asSuperuser.stderr).toContain(
    'PostgreSQL does not let postgres in with the password in /run/secrets/postgres_password',
  );
  const asServer = await project.with(
    { MODFLEET_SERVER_PASSWORD_FILE: wrong },
    'run',
    '--rm',
    '-T',
    '--no-deps',
    'server',
  );
  expect(asServer.code).toBe(1);
  expect(asServer.stdout + asServer.stderr).toContain('password authentication failed for user "modfleet"');
});

it('answers the command line over TLS from its own CA', async () => {
  const end = await cli('hosts', 'list');
  expect(end.stderr).not.toMatch(/error/i);
  expect(end.code).toBe(0);
});

it(
  'adds this machine by the profile `agent`, which says why it cannot report or reports',
  async () => {
    const made = await cli('join-tokens', 'create', '--json', 'joinString');
    expect(made.code, made.stderr).toBe(0);
    writeFileSync(joinFile, String((JSON.parse(made.stdout) as { joinString: string }).joinString), { mode: 0o444 });
    await must(compose('--profile', 'agent', 'up', '-d', '--build', 'agent'));
    expect(await inspect('agent', '{{.HostConfig.ReadonlyRootfs}}')).toBe('true');
    await eventually(
      'the agent is connected',
      async () => {
        const list = await cli('hosts', 'list', '--json', 'name,connected');
        const hosts = JSON.parse(list.stdout) as { connected: boolean }[] | { items: { connected: boolean }[] };
        return (Array.isArray(hosts) ? hosts : hosts.items).some((host) => host.connected) || undefined;
      },
      120_000,
    );
  },
  BUILD_LIMIT_MS,
);

it('keeps its hosts over a restart of everything, and migrates again before the server starts', async () => {
  await must(compose('--profile', 'agent', 'down'));
  await must(compose('up', '-d'));
  expect(await inspect('migrate', '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 0');
  await project.healthy('server');
  await eventually('the host is still there', async () => {
    const list = await cli('hosts', 'list', '--json', 'name');
    return list.code === 0 && list.stdout.includes('"name"') ? true : undefined;
  });
}, 240_000);

it('refuses to start without a password', async () => {
  const none = `${project.name}-none`;
  const settings = { MODFLEET_POSTGRES_PASSWORD_FILE: join(project.folder, 'missing') };
  const end = await project.as(none, settings, 'run', '--rm', '--no-deps', 'postgres');
  await project.as(none, {}, 'down', '--volumes');
  expect(end.code).not.toBe(0);
});
