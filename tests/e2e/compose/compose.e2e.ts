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
const secret = join(folder, 'postgres_password');
const joinFile = join(folder, 'join_token');
let env: NodeJS.ProcessEnv = {};
let composeCommand: readonly string[] = ['docker-compose'];

function compose(...args: string[]): Promise<CommandEnd> {
  const [command = 'docker-compose', ...first] = composeCommand;
  return runCommand(command, [...first, '-p', project, '-f', join(repository, 'docker-compose.yml'), ...args], {
    env,
    cwd: repository,
  });
}

async function must(end: Promise<CommandEnd>): Promise<string> {
  const { code, stdout, stderr } = await end;
  if (code !== 0) throw new Error(`status ${code}: ${stdout.slice(-2000)}${stderr.slice(-4000)}`);
  return stdout;
}

function container(service: string): Promise<string> {
  return must(compose('ps', '-q', service)).then((id) => id.trim());
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
  writeFileSync(secret, 'a password of this test only', { mode: 0o444 });
  writeFileSync(joinFile, '', { mode: 0o444 });
  env = {
    ...process.env,
    DOCKER_BUILDKIT: '0',
    MODFLEET_POSTGRES_PASSWORD_FILE: secret,
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

it("keeps the password out of the containers' settings", async () => {
  for (const service of ['postgres', 'server']) {
    expect(
      await inspect(service, '{{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}}'),
    ).not.toContain('a password of this test only');
  }
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

it('keeps its hosts over a restart of everything', async () => {
  await must(compose('restart', 'server'));
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
