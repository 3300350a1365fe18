import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../../scripts/lib/embedded-postgres.mjs';
import { repository } from '../support/fleet.ts';
import { type CommandEnd, runCommand } from '../support/processes.ts';
import { eventually } from '../support/wait.ts';

const BUILD_LIMIT_MS = 900_000;

/** docker-compose.yml, run for real under a project name of its own. */
const folder = mkdtempSync(join(tmpdir(), 'modfleet-compose-'));
const project = `modfleet-test-${process.pid}`;
const secrets = { postgres: join(folder, 'postgres_password'), server: join(folder, 'server_password') };
const passwords = { postgres: 'a password of this test only', server: 'another one/of+this test only' };
const joinFile = join(folder, 'join_token');
let env: NodeJS.ProcessEnv = {};
let composeCommand: readonly string[] = ['docker-compose'];

function compose(...args: string[]): Promise<CommandEnd> {
  return composeWith({}, ...args);
}

function composeWith(settings: NodeJS.ProcessEnv, ...args: string[]): Promise<CommandEnd> {
  const [command = 'docker-compose', ...first] = composeCommand;
  return runCommand(command, [...first, '-p', project, '-f', join(repository, 'docker-compose.yml'), ...args], {
    env: { ...env, ...settings },
    cwd: repository,
  });
}

async function must(end: Promise<CommandEnd>): Promise<string> {
  const { code, stdout, stderr } = await end;
  if (code !== 0) throw new Error(`status ${code}: ${stdout.slice(-2000)}${stderr.slice(-4000)}`);
  return stdout;
}

function container(service: string): Promise<string> {
  return must(compose('ps', '-a', '-q', service)).then((id) => id.trim());
}

async function inspect(service: string, format: string): Promise<string> {
  return (await must(runCommand('docker', ['inspect', '--format', format, await container(service)]))).trim();
}

async function cli(...args: string[]): Promise<CommandEnd> {
  const caFile = join(folder, 'ca.pem');
  const token = (await must(compose('exec', '-T', 'server', 'cat', '/var/lib/modfleet/admin-token'))).trim();
  writeFileSync(caFile, await must(compose('exec', '-T', 'server', 'cat', '/var/lib/modfleet/ca/ca.crt')));
  return runCommand(process.execPath, [join(repository, 'services/cli/bin/modfleet.js'), ...args], {
    env: {
      ...process.env,
      HOME: folder,
      MODFLEET_URL: `https://localhost:${env['MODFLEET_HTTP_PORT']}`,
      MODFLEET_TOKEN: token,
      MODFLEET_CA_FILE: caFile,
    },
  });
}

beforeAll(async () => {
  if ((await runCommand('docker-compose', ['version']).catch(() => ({ code: 1 }))).code !== 0)
    composeCommand = ['docker', 'compose'];
  mkdirSync(folder, { recursive: true });
  writeFileSync(secrets.postgres, passwords.postgres, { mode: 0o444 });
  writeFileSync(secrets.server, passwords.server, { mode: 0o444 });
  writeFileSync(joinFile, '', { mode: 0o444 });
  env = {
    ...process.env,
    DOCKER_BUILDKIT: '0',
    MODFLEET_POSTGRES_PASSWORD_FILE: secrets.postgres,
    MODFLEET_SERVER_PASSWORD_FILE: secrets.server,
    MODFLEET_JOIN_TOKEN_FILE: joinFile,
    MODFLEET_HTTP_PORT: String(await freePort()),
    MODFLEET_SESSION_PORT: String(await freePort()),
    MODFLEET_IDENTITY_PORT: String(await freePort()),
  };
  await must(compose('up', '-d', '--build'));
  await eventually(
    'the server is healthy',
    async () => ((await inspect('server', '{{.State.Health.Status}}')) === 'healthy' ? true : undefined),
    120_000,
  );
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await compose('--profile', 'agent', 'down', '--volumes', '--timeout', '10');
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

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
  const wrong = join(folder, 'wrong');
  writeFileSync(wrong, 'not this one', { mode: 0o444 });
  const asSuperuser = await composeWith(
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
  const asServer = await composeWith(
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
  await eventually(
    'the server is healthy again',
    async () => ((await inspect('server', '{{.State.Health.Status}}')) === 'healthy' ? true : undefined),
    120_000,
  );
  await eventually('the host is still there', async () => {
    const list = await cli('hosts', 'list', '--json', 'name');
    return list.code === 0 && list.stdout.includes('"name"') ? true : undefined;
  });
}, 240_000);

it('refuses to start without a password', async () => {
  const [command = 'docker-compose', ...first] = composeCommand;
  const end = await runCommand(
    command,
    [
      ...first,
      '-p',
      `${project}-none`,
      '-f',
      join(repository, 'docker-compose.yml'),
      'run',
      '--rm',
      '--no-deps',
      'postgres',
    ],
    {
      env: { ...env, MODFLEET_POSTGRES_PASSWORD_FILE: join(folder, 'missing') },
      cwd: repository,
    },
  );
  await runCommand(
    command,
    [...first, '-p', `${project}-none`, '-f', join(repository, 'docker-compose.yml'), 'down', '--volumes'],
    { env, cwd: repository },
  );
  expect(end.code).not.toBe(0);
});
