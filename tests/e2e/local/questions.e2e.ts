import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAgent, type TestAgent } from '../support/agents.ts';
import { type Captured, startCaptured, whatCanChange } from '../support/captured.ts';
import { repository, TestFleet } from '../support/fleet.ts';
import { runCommand } from '../support/processes.ts';
import { eventually } from '../support/wait.ts';

/** The questions of people at the fleet, on agents that look at captured hosts: web-12, db-6, odd, micro-1 (no loadable kmods), and a container. */
const CONTAINER = '3f2a9c1b7d44';
let fleet: TestFleet;
const agents = new Map<string, TestAgent>();

beforeAll(async () => {
  fleet = await TestFleet.start();
  const trees: readonly [string, Captured][] = [
    ['web-12', 'debian-6.12-xz'],
    ['db-6', 'debian-6.1-half-dead'],
    ['odd', 'odd-names'],
    ['micro-1', 'no-loadable-kmods'],
    [CONTAINER, 'container'],
  ];
  for (const [name, tree] of trees) agents.set(name, await startCaptured(fleet, tree));
  await eventually('every host has said all it can', async () => {
    const { items } = (await fleet.api('GET', '/api/v1/hosts')).body as {
      items: { coverage: Record<string, string | null> }[];
    };
    const settled = items.every(({ coverage }) =>
      Object.values(coverage).every((word) => word === 'fresh' || word === 'incapable'),
    );
    return settled || undefined;
  });
});
afterAll(async () => {
  for (const agent of agents.values()) await agent.process.end();
  await fleet?.stop();
});

interface HostRow {
  readonly host: { readonly id: string; readonly name: string };
  readonly presence: string | null;
  readonly known: boolean;
  readonly reason: string | null;
}
interface Answer {
  readonly name: string;
  readonly resolvedBy: string;
  readonly candidates?: string[];
  readonly items: readonly HostRow[];
  readonly counts: Record<'loaded' | 'builtin' | 'onDisk' | 'absent' | 'unknown', number>;
  readonly coverage: Record<'total' | 'fresh' | 'stale' | 'silent' | 'incapable', number>;
  readonly asOf: string;
}

/** Asks, and checks what holds of every answer: coverage and counts add up to the hosts in question, each host is in one place. */
async function ask(name: string, query = ''): Promise<Answer> {
  const { status, body } = await fleet.api('GET', `/api/v1/kmods/${encodeURIComponent(name)}/hosts?${query}`);
  expect(status).toBe(200);
  const answer = body as unknown as Answer;
  const { total, fresh, stale, silent, incapable } = answer.coverage;
  expect(fresh + stale + silent + incapable).toBe(total);
  expect(Object.values(answer.counts).reduce((sum, count) => sum + count, 0)).toBe(total);
  expect(answer.counts.unknown).toBe(total - fresh);
  expect(Number.isNaN(Date.parse(answer.asOf))).toBe(false);
  return answer;
}

const namesOf = (answer: Answer): string[] => answer.items.map((row) => row.host.name).toSorted();

describe('which hosts run a kmod', () => {
  it('loaded on two, built in on one without loadable kmods, absent on one, unknown on one', async () => {
    const answer = await ask('virtio_net');
    expect(answer.counts).toEqual({ loaded: 2, builtin: 1, onDisk: 0, absent: 1, unknown: 1 });
    expect(namesOf(answer)).toEqual(['db-6', 'micro-1', 'web-12']);
    expect(namesOf(await ask('virtio_net', 'presence=builtin'))).toEqual(['micro-1']);
    expect(namesOf(await ask('virtio_net', 'presence=absent'))).toEqual(['odd']);
    expect(namesOf(await ask('virtio_net', 'presence=any'))).toHaveLength(5);
    const unknown = (await ask('virtio_net', 'presence=unknown')).items;
    expect(unknown).toMatchObject([{ host: { name: CONTAINER }, known: false }]);
    expect(unknown[0]?.reason).toContain('runs in a container');
  });

  it('on disk is not loaded, and not absent', async () => {
    const answer = await ask('8021q', 'presence=on_disk');
    expect(namesOf(answer)).toEqual(['web-12']);
    expect(answer.counts).toMatchObject({ loaded: 1, onDisk: 1, unknown: 2 });
  });

  it('one that nobody runs: the hosts that cannot say are unknown, not absent', async () => {
    const answer = await ask('mf_permanent', 'selector=@name!=web-12');
    expect(answer.items).toEqual([]);
    expect(answer.counts).toMatchObject({ loaded: 0, builtin: 0, unknown: 2 });
    const end = await fleet.modfleet('kmods', 'hosts', 'mf_permanent', '-l', '@name!=web-12');
    expect(end.stderr).toContain('0 of 4 hosts');
    expect(end.stderr).toContain('2 unknown');
    expect(
      await fleet.modfleet('kmods', 'hosts', 'mf_permanent', '-l', '@name!=web-12', '--exit-status'),
    ).toMatchObject({ code: 8 });
  });

  it('"-" and "_" are one; an alias and a driver find their kmod', async () => {
    expect(await ask('virtio-net')).toMatchObject({ name: 'virtio_net', resolvedBy: 'name' });
    expect(await ask('rtnl-link-dummy')).toMatchObject({ name: 'dummy', resolvedBy: 'alias' });
    expect(await ask('virtio:d00000001v00001AF4')).toMatchObject({ name: 'virtio_net', resolvedBy: 'alias' });
    expect(namesOf(await ask('rtnl_link_dummy'))).toEqual(['web-12']);
    const driver = await fleet.api('GET', '/api/v1/drivers/virtio-net/hosts');
    expect(driver.body).toMatchObject({ name: 'virtio_net', kmods: ['virtio_net'] });
  });

  it('a name that nobody reported is no empty list', async () => {
    const answer = await fleet.api('GET', '/api/v1/kmods/nosuch/hosts');
    expect(answer).toMatchObject({ status: 404, body: { code: 'kmod_unknown' } });
    expect(await fleet.modfleet('kmods', 'hosts', 'nosuch')).toMatchObject({ code: 3, stdout: '' });
    expect(await fleet.modfleet('drivers', 'hosts', 'nosuch')).toMatchObject({ code: 3, stdout: '' });
  });

  it('the command says in a pipe what the API says', async () => {
    const answer = await ask('virtio_net');
    const end = await fleet.modfleet('kmods', 'hosts', 'virtio_net');
    expect(end.code).toBe(0);
    const rows = end.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(rows.map(([name, state]) => [name, state])).toEqual(
      answer.items.map((row) => [row.host.name, row.presence]),
    );
    expect(end.stderr).toContain('3 of 5 hosts run virtio_net (loaded on 2, built in on 1); 1 does not; 1 unknown');
  });

  it('asked now: the same hosts, and those that cannot answer with their reason', async () => {
    const end = await fleet.modfleet('kmods', 'hosts', 'virtio_net', '--live', '--timeout', '20s');
    const rows = end.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(rows.map(([name, state]) => [name, state])).toEqual(
      expect.arrayContaining([
        ['db-6', 'loaded'],
        ['web-12', 'loaded'],
      ]),
    );
    expect(end.stderr).toContain('virtio_net now (loaded on 2)');
    expect(end.stderr).not.toContain('error');
  });
});

describe('drivers', () => {
  it('with its devices, from a kmod or built in', async () => {
    const { body } = await fleet.api('GET', '/api/v1/drivers/virtio_net/hosts');
    const rows = (body['items'] as { host: { name: string }; builtin: boolean }[]).map(
      (row) => [row.host.name, row.builtin] as const,
    );
    expect(rows.toSorted()).toEqual([
      ['db-6', false],
      ['micro-1', true],
      ['web-12', false],
    ]);
    const end = await fleet.modfleet('drivers', 'hosts', 'virtio_net');
    expect(end.stdout).toContain('virtio:virtio1');
    expect(end.stderr).toContain('from a kmod on 2, built in on 1');
  });
});

describe('one host', () => {
  it('that cannot report says why, and shows no number that looks like an answer', async () => {
    const end = await fleet.modfleet('hosts', 'show', 'micro-1');
    expect(end.code).toBe(0);
    expect(end.stdout).toContain('loaded unknown');
    expect(end.stdout).toContain('this kernel has no loadable kmods: /proc/modules does not exist');
    const events = await fleet.modfleet('hosts', 'events', 'micro-1');
    expect(events.stdout).toBe('');
    expect(events.stderr).toContain('says nothing');
    expect(events.stderr).toContain('no loadable kmods');
  });

  it('that reports has what its /proc/modules has', async () => {
    const modules = readFileSync(join(repository, 'agent/testdata/roots/debian-6.12-xz/root/proc/modules'), 'utf8');
    const loaded = modules
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    const { body } = await fleet.api('GET', '/api/v1/hosts/web-12/kmods?presence=loaded&limit=1000');
    expect((body['items'] as { name: string }[]).map((kmod) => kmod.name).toSorted()).toEqual(loaded.toSorted());
  });
});

describe('an observing host', () => {
  it('refuses to act, and says why', async () => {
    const end = await fleet.modfleet('kmods', 'unload', 'dummy', '--host', 'web-12', '--watch');
    expect(end.code).toBe(1);
    expect(end.stdout).toContain('\trefused\t');
    expect(end.stdout).toContain('nothing was touched: mode is observe');
  });

  it('in a frozen fleet nothing is accepted, and every answer shows the freeze', async () => {
    expect(await fleet.modfleet('freeze', '--reason', 'storage move')).toMatchObject({ code: 0 });
    const before = await whatCanChange(fleet);
    expect(await fleet.api('POST', '/api/v1/actions', { host: 'web-12', verb: 'load', kmod: 'dummy' })).toMatchObject({
      status: 423,
      body: { code: 'frozen' },
    });
    expect(await fleet.modfleet('kmods', 'load', 'dummy', '--host', 'web-12')).toMatchObject({ code: 6, stdout: '' });
    expect(await whatCanChange(fleet)).toEqual(before);
    for (const path of [
      'hosts',
      'hosts/web-12',
      'kmods',
      'kmods/dummy',
      'kmods/dummy/hosts',
      'drivers/sd/hosts',
      'actions',
    ])
      expect((await fleet.api('GET', `/api/v1/${path}`)).body['freeze']).toMatchObject({ reason: 'storage move' });
    expect((await fleet.modfleet('kmods', 'hosts', 'dummy')).stderr).toContain('storage move');
    expect(await fleet.modfleet('thaw')).toMatchObject({ code: 0 });
    expect((await fleet.api('GET', '/api/v1/hosts')).body['freeze']).toBeNull();
  });
});

describe('labels', () => {
  it('are set, chosen by, and removed', async () => {
    expect(await fleet.modfleet('hosts', 'label', 'web-12', 'db-6', 'env=prod')).toMatchObject({ code: 0 });
    expect((await ask('virtio_net', 'selector=env=prod')).coverage.total).toBe(2);
    expect(await fleet.modfleet('hosts', 'label', '-l', 'env=prod,@name=db-6', 'env-')).toMatchObject({ code: 0 });
    expect(namesOf(await ask('virtio_net', 'selector=env=prod'))).toEqual(['web-12']);
    expect((await fleet.modfleet('hosts', 'list', '-l', 'env=nosuch')).stderr).toContain('No host matches');
  });
});

describe('joining and leaving', () => {
  const join_ = async (folder: string, token: string) => {
    const config = join(fleet.folder, `${folder}.yaml`);
    writeFileSync(
      config,
      `server: 127.0.0.1:${fleet.identityPort}\nmode: observe\nstate_dir: ${join(fleet.folder, folder)}\n`,
    );
    const agent = join(repository, 'agent/bin/modfleet-agent.js');
    return runCommand(process.execPath, [agent, 'join', '--config', config, '--token-file', '-'], { stdin: token });
  };

  it('a join token is good for one host; a revoked one for none', async () => {
    const token = await fleet.joinString();
    expect(await join_('joined', token)).toMatchObject({ code: 0 });
    const second = await join_('late', token);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/used/);

    const made = await fleet.api('POST', '/api/v1/join-tokens', { name: 'for nobody' });
    expect(await fleet.modfleet('join-tokens', 'revoke', String(made.body['id']))).toMatchObject({ code: 0 });
    const revoked = await join_('never', String(made.body['joinString']));
    expect(revoked.code).not.toBe(0);
    expect(revoked.stderr).toMatch(/revoked/);
    const { items } = (await fleet.api('GET', '/api/v1/hosts')).body as { items: unknown[] };
    expect(items).toHaveLength(6);
  });

  it('a retired host is told so, counts no more, and its name leads nowhere', async () => {
    const agent = await startAgent(fleet, 'leaving', {
      root: join(repository, 'agent/testdata/roots/odd-names/root'),
    });
    const total = (await ask('8021q')).coverage.total;
    expect(await fleet.modfleet('hosts', 'retire', agent.hostId, '--yes', '--reason', 'gone')).toMatchObject({
      code: 0,
    });
    await eventually(
      'the host is told',
      () => readFileSync(agent.process.logFile, 'utf8').includes('this host was retired on the server') || undefined,
    );
    expect((await ask('8021q')).coverage.total).toBe(total - 1);
    expect(
      await fleet.api('POST', '/api/v1/actions', { host: agent.hostId, verb: 'load', kmod: 'dummy' }),
    ).toMatchObject({ status: 409, body: { code: 'host_retired' } });
    await agent.process.end();
  });

  it('a host that is gone is unknown, with what it last said apart', async () => {
    await agents.get('web-12')?.process.end();
    const answer = await eventually('web-12 is silent', async () => {
      const now = await ask('dummy', 'presence=any');
      return now.coverage.silent >= 1 && now.counts.loaded === 0 ? now : undefined;
    });
    expect(answer.items.find((row) => row.host.name === 'web-12')).toMatchObject({ presence: 'loaded', known: false });
    expect((await fleet.modfleet('kmods', 'hosts', 'dummy')).stderr).toContain('0 of ');
  });
});
