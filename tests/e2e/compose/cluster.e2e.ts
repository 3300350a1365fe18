import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLog } from '../../../agent/src/log.ts';
import { readCaptured } from '../../../bench/swarm/captured-kernel.ts';
import { hostRandom, planHost } from '../../../bench/swarm/host-kinds.ts';
import { SwarmHost } from '../../../bench/swarm/swarm-host.ts';
import { freePort } from '../../../scripts/lib/embedded-postgres.mjs';
import { ComposeProject, must } from '../support/compose-project.ts';
import { type CommandEnd, runCommand } from '../support/processes.ts';
import { eventually } from '../support/wait.ts';

const BUILD_LIMIT_MS = 900_000;
const SERVERS = ['server-1', 'server-2', 'server-3'] as const;
/** The network of the cluster: this machine is its first address, the balancer the second. */
const NETWORK = {
  MODFLEET_CLUSTER_SUBNET: '172.31.78.0/24',
  MODFLEET_CLUSTER_RANGE: '172.31.78.128/25',
  MODFLEET_CLUSTER_BALANCER: '172.31.78.2',
};
/** This machine's address in it, as the balancer sees who calls from here. */
let here = '';
/** Longer than between two signs of life, and the test waits for more than two of them. */
const IDLE_S = 40;
const HOSTS = 6;

const project = new ComposeProject('cluster-', ['cluster']);
const hosts: SwarmHost[] = [];
let caFile = '';

function cli(...args: string[]): Promise<CommandEnd> {
  return project.cli('server-1', { url: `https://localhost:${project.env['MODFLEET_HTTP_PORT']}`, caFile }, ...args);
}

/** Rows of the database, as PostgreSQL prints them: columns by `|`. */
async function rows(sql: string): Promise<string[]> {
  const psql = ['psql', '-h', '127.0.0.1', '-U', 'postgres', '-d', 'modfleet', '-At', '-c', sql];
  const end = project.compose('exec', '-T', '-e', `PGPASSWORD=${passwords.postgres}`, 'postgres', ...psql);
  return (await must(end)).split('\n').filter((line) => line !== '');
}

const passwords = { postgres: randomBytes(12).toString('hex'), bus: randomBytes(12).toString('hex') };
const held = async (): Promise<number[]> =>
  (await rows('SELECT count(*) FROM session_presence Where live GROUP BY replica_id ORDER BY 1 DESC')).map(Number);
const connected = async (): Promise<number> => (await held()).reduce((sum, each) => sum + each, 0);

beforeAll(async () => {
  await project.prepare();
  const [key, certificate] = [join(project.folder, 'api.key'), join(project.folder, 'api.crt')];
  const request = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost`.split(' ');
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate];
  await must(runCommand('openssl', [...request, ...names]));
  caFile = certificate;
  const both = readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8');
  Object.assign(project.env, NETWORK, {
    MODFLEET_POSTGRES_PASSWORD_FILE: project.secret('postgres_password', passwords.postgres),
    MODFLEET_SERVER_PASSWORD_FILE: project.secret('server_password', randomBytes(12).toString('hex')),
    MODFLEET_JOIN_TOKEN_FILE: project.secret('join_token', ''),
    MODFLEET_BUS_CREDENTIALS: project.secret('bus_credentials', `modfleet:${passwords.bus}\n`),
    MODFLEET_NATS_CONFIG: project.secret(
      'nats_config',
      `authorization { user: modfleet, password: "${passwords.bus}" }\n`,
    ),
    MODFLEET_API_CERTIFICATE: project.secret('api_certificate', both),
    MODFLEET_BALANCER_IDLE: `${IDLE_S}s`,
    MODFLEET_HTTP_PORT: String(await freePort()),
    MODFLEET_SESSION_PORT: String(await freePort()),
    MODFLEET_IDENTITY_PORT: String(await freePort()),
  });
  await must(project.compose('up', '-d', '--build', 'balancer'));
  here =
    Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find(({ address }) => address.startsWith('172.31.78.'))?.address ?? '';
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.vanish()));
  await project.down();
}, 120_000);

it('runs three servers, healthy, none of them as root, and not the one of the default profile', async () => {
  for (const service of SERVERS) {
    await project.healthy(service);
    expect((await must(project.compose('exec', '-T', service, 'id', '-u'))).trim()).not.toBe('0');
    const ready = await must(project.compose('exec', '-T', service, 'modfleet-server', 'health'));
    expect(ready).toContain('200');
  }
  for (const service of ['balancer', 'nats']) expect(await project.inspect(service, '{{.State.Running}}')).toBe('true');
  expect((await project.compose('ps', '-q', 'server')).stdout.trim()).toBe('');
  expect(await rows(`SELECT DISTINCT bus FROM replica`)).toEqual(['nats']);
});

it('answers the command line over TLS that ends at the balancer, which says where the caller is', async () => {
  const frozen = await cli('freeze', '--reason', 'to see a row');
  expect(frozen.code, frozen.stderr).toBe(0);
  expect((await cli('thaw')).code).toBe(0);
  const listed = await cli('audit', 'list', '--json', 'what,from');
  expect(listed.code, listed.stderr).toBe(0);
  const decisions = JSON.parse(listed.stdout) as { what: string; from: { via: string; address?: string } }[];
  const freezes = decisions.filter(({ what }) => what === 'fleet.freeze');
  expect(freezes.map(({ from }) => from.address)).toEqual([here]);
});

it('joins hosts through the balancer, spreads them, and knows their true addresses', async () => {
  const made = await cli('join-tokens', 'create', '--uses', String(HOSTS), '--json', 'joinString');
  expect(made.code, made.stderr).toBe(0);
  const { joinString } = JSON.parse(made.stdout) as { joinString: string };
  const captured = readCaptured('debian-6.12');
  for (let number = 0; number < HOSTS; number += 1) {
    const random = hostRandom(5, number);
    const host = new SwarmHost({
      plan: planHost(number, random),
      localAddress: here,
      captured,
      behaviour: { routine: () => 'returns' },
      stepMs: () => 5,
      log: createLog('error', () => undefined),
      random,
      onResult: () => undefined,
    });
    hosts.push(host);
    await host.join({ host: NETWORK.MODFLEET_CLUSTER_BALANCER, identityPort: 7782 }, joinString);
    await host.appear({ connected: () => undefined, lost: () => undefined });
  }
  await eventually('all are connected', async () => (await connected()) === HOSTS || undefined);
  expect(await held()).toEqual([2, 2, 2]);
  const addresses = await rows('SELECT address FROM host_session');
  for (const address of addresses) expect(address).toMatch(new RegExp(`^${here.replaceAll('.', '\\.')}:\\d+$`));
});

it('carries actions to hosts wherever they are', async () => {
  for (const { plan } of hosts) {
    const acted = await cli('kmods', 'load', 'tun', '--host', plan.name, '--watch');
    expect(acted.code, acted.stdout + acted.stderr).toBe(0);
  }
});

it('holds a stream that says nothing but signs of life, across the idle time-outs of the balancer', async () => {
  const sessions = (): Promise<string[]> =>
    rows('SELECT host_id, session_no FROM session_presence Where live ORDER BY 1');
  const before = await sessions();
  await delay(2.5 * IDLE_S * 1_000);
  expect(await sessions()).toEqual(before);
}, 240_000);

it('brings the hosts of a killed server to the others, and goes on answering', async () => {
  await must(runCommand('docker', ['kill', await project.container('server-3')]));
  await eventually('they are on the two others', async () => {
    const left = await held();
    return (left.length === 2 && left[0] === 3 && left[1] === 3) || undefined;
  });
  const list = await cli('hosts', 'list', '--json', 'name,connected');
  expect(list.code, list.stderr).toBe(0);
});
