import { describe, expect, it } from 'vitest';
import type { Host } from '@modfleet/server/api-types';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, coverage, hostId, hostSummary } from '../testing/samples.ts';

const cli = useCli();

const silent = hostSummary(2, {
  name: 'db-2',
  connected: false,
  connection: 'silent',
  lastSeenAt: '2026-11-22T02:11:40.000Z',
  labels: {},
});
const listed = {
  items: [hostSummary(1, { coverage: { ...hostSummary(1).coverage, available: 'incapable' } }), silent],
  nextCursor: null,
  matched: 2,
  unknown: 1,
  asOf: AS_OF,
  coverage: coverage({ total: 2, fresh: 1 }),
  freeze: null,
};

const host: Host = {
  ...hostSummary(1),
  facts: {
    hostname: 'web-1',
    machineId: 'm',
    kernelVersion: '#1 SMP',
    osId: 'debian',
    osVersionId: '12',
    osPrettyName: 'Debian GNU/Linux 12 (bookworm)',
    packageFamily: 'deb',
    virtualization: 'kvm',
  },
  policy: { allow: [], deny: ['nf_*'], protected: [] },
  facets: [
    { facet: 'loaded', coverage: 'fresh', observedAt: AS_OF, ageMs: 1500, reason: null, digest: 'ab' },
    {
      facet: 'available',
      coverage: 'incapable',
      observedAt: null,
      ageMs: null,
      reason: '/lib/modules is missing',
      digest: null,
    },
  ],
  counts: { loaded: 65, builtin: 141, onDisk: null },
  modulesDisabled: true,
  lockdown: 'none',
  sigEnforce: false,
  secureBoot: null,
  unreadable: ['/etc/modprobe.d/secret.conf: permission denied'],
  journalDamage: null,
  ca: { trusts: ['1a'.repeat(32)], certificateBy: '1a'.repeat(32) },
  revokeReason: null,
  certificate: { number: 3, notAfter: '2026-11-23T10:00:00.000Z', renewedAt: '2026-11-22T10:00:00.000Z' },
  machines: [],
  enrolledAt: '2026-11-20T10:00:00.000Z',
  address: '10.0.0.7',
  bootId: 'b',
  asOf: AS_OF,
  freeze: null,
};

describe('hosts list', () => {
  it('shows a table', async () => {
    cli.server().on('GET /hosts', json(listed));
    const { out, err } = await cli.run(['hosts', 'list'], { columns: 140 });
    expect(out).toMatchInlineSnapshot(`
      "HOST   CONNECTION  SEEN     MODE  KERNEL          OS                              LABELS    NOT FRESH
      web-1  connected   now      act   6.1.0-56-amd64  Debian GNU/Linux 12 (bookworm)  env=prod  available (incapable)
      db-2   silent      11h ago  act   6.1.0-56-amd64  Debian GNU/Linux 12 (bookworm)
      "
    `);
    expect(err).toBe('As of 14:03:22: 1 of 2 hosts fresh, 1 silent.\n');
  });

  it('prints whole values to a pipe and tells of the hosts that may match', async () => {
    cli.server().on('GET /hosts', json(listed));
    const { out, err } = await cli.run(['hosts', 'list', '-l', '@loaded=floppy']);
    expect(out.split('\n')[1]).toBe(
      `db-2\tsilent\t2026-11-22T02:11:40.000Z\tact\t6.1.0-56-amd64\tDebian GNU/Linux 12 (bookworm)\t\t\t${hostId(2)}\t`,
    );
    expect(err).toContain('1 more host may match');
  });

  it('prints the chosen fields as JSON', async () => {
    cli.server().on('GET /hosts', json(listed));
    const { out } = await cli.run(['hosts', 'list', '--json', 'name,connected']);
    expect(JSON.parse(out)).toEqual([
      { name: 'web-1', connected: true },
      { name: 'db-2', connected: false },
    ]);
  });

  it('says what to do when there is none', async () => {
    cli.server().on('GET /hosts', json({ ...listed, items: [] }));
    expect((await cli.run(['hosts', 'list'])).err).toContain('modfleet join-tokens create');
  });
});

describe('hosts show', () => {
  it('tells of a damaged journal', async () => {
    const journalDamage = { kind: 'record' as const, since: '2026-11-22T13:00:00.000Z' };
    cli.server().on('GET /hosts/web-1', json({ ...host, journalDamage }));
    const { out } = await cli.run(['hosts', 'show', 'web-1'], { columns: 100 });
    expect(out).toMatch(/^journal +a record was cut short; its action is not begun again \(known since 13:00/m);
  });

  it('says when a host is behind with the CAs that count', async () => {
    const ca = { trusts: ['1a'.repeat(32), '2b'.repeat(32)], certificateBy: null };
    cli.server().on('GET /hosts/web-1', json({ ...host, caTrust: 'behind', ca }));
    cli.server().on('GET /hosts', json({ ...listed, items: [{ ...hostSummary(1), caTrust: 'behind' }] }));
    const { out } = await cli.run(['hosts', 'show', 'web-1'], { columns: 140 });
    expect(out).toMatch(
      /^CA trust +behind the server's: trusts 1a1a1a1a1a1a1a1a and 2b2b2b2b2b2b2b2b, certificate by a CA that it does not trust$/m,
    );
    expect((await cli.run(['hosts', 'list'], { columns: 160 })).out).toMatch(/CA *\n.* behind/);
  });

  it('shows the page', async () => {
    cli.server().on('GET /hosts/web-1', json(host));
    expect((await cli.run(['hosts', 'show', 'web-1'], { columns: 100 })).out).toMatchInlineSnapshot(`
      "web-1  connected

      id              11111111-1111-4111-8111-000000000001
      labels          env=prod
      mode            act: actions are taken
      kernel          6.1.0-56-amd64 x86_64
      system          Debian GNU/Linux 12 (bookworm)
      virtualization  kvm
      agent           0.1.0
      address         10.0.0.7
      joined          20 Nov 10:00
      certificate     number 3, until 23 Nov 10:00
      CA trust        trusts 1a1a1a1a1a1a1a1a, certificate by 1a1a1a1a1a1a1a1a
      kmods           65 loaded, 141 built in, on disk unknown
      unloading       impossible until reboot: kernel.modules_disabled=1
      lockdown        none
      signatures      not enforced
      deny            nf_*

      What it reports:
        FACET      COVERAGE   OBSERVED
        loaded     fresh      1s ago
        available  incapable  never

      Not reported:
        available: /lib/modules is missing

      Not readable there:
        /etc/modprobe.d/secret.conf: permission denied

      Next:
        its kmods:                     modfleet kmods list --host web-1
        what came and went:            modfleet hosts events web-1
        what it had loaded yesterday:  modfleet hosts show web-1 --at 24h
        its actions:                   modfleet actions list --host web-1
      "
    `);
  });

  it('names the next command when there is no such host, or several', async () => {
    cli.server().on('GET /hosts/web-9', problem(404, 'host_not_found', 'no host is named web-9'));
    const none = await cli.run(['hosts', 'show', 'web-9']);
    expect([none.code, none.err]).toEqual([
      3,
      "modfleet: no host is named web-9\n  look for it: modfleet hosts list --name '*web-9*'\n",
    ]);
    cli
      .server()
      .on(
        'GET /hosts/web',
        problem(409, 'host_ambiguous', '2 hosts are named web', { candidates: [hostId(1), hostId(2)] }),
      );
    const several = await cli.run(['hosts', 'show', 'web']);
    expect(several.code).toBe(6);
    expect(several.err).toContain(`modfleet hosts show ${hostId(2)}`);
  });

  it('says that a host is retired, and goes by its id from then on', async () => {
    const said = `the host "web-9" was retired at ${AS_OF}; its id is ${hostId(9)}; GET /api/v1/hosts/${hostId(9)} shows what was known of it`;
    cli.server().on('GET /hosts/web-9', problem(409, 'host_retired', said, { candidates: [hostId(9)] }));
    const named = await cli.run(['hosts', 'show', 'web-9']);
    expect([named.code, named.err]).toEqual([
      6,
      [
        `modfleet: the host "web-9" was retired at ${AS_OF}; its id is ${hostId(9)}`,
        `  what was known of it: modfleet hosts show ${hostId(9)}`,
        '  a machine that comes back joins anew: modfleet join-tokens create',
        '',
      ].join('\n'),
    ]);
    const tombstone = {
      ...host,
      id: hostId(9),
      name: 'web-9',
      connected: false,
      connection: 'retired',
      retiredAt: AS_OF,
    };
    cli.server().on(`GET /hosts/${hostId(9)}`, json(tombstone));
    expect((await cli.run(['hosts', 'show', hostId(9)])).out).toContain(`modfleet hosts events ${hostId(9)}`);
  });
});

describe('hosts events', () => {
  it('says by which action a kmod came or went, or that it was none of ours', async () => {
    const actionId = hostId(8);
    const items = [
      { at: '2026-11-22T14:02:00.000Z', kmod: 'dummy', kind: 'unloaded', actionId, source: 'uevent', detail: null },
      { at: '2026-11-22T14:01:00.000Z', kmod: 'dummy', kind: 'loaded', actionId: null, source: 'poll', detail: null },
    ];
    cli
      .server()
      .on(
        'GET /hosts/web-1/events',
        json({ host: { id: hostId(1), name: 'web-1' }, items, nextCursor: null, asOf: AS_OF, freeze: null }),
      );
    const { out } = await cli.run(['hosts', 'events', 'web-1', '--since', '1h', '--kmod', 'dummy'], { columns: 100 });
    expect(out).toMatchInlineSnapshot(`
      "SEEN      KMOD   WHAT      BY ACTION                             SEEN BY
      14:02:00  dummy  unloaded  11111111-1111-4111-8111-000000000008  uevent
      14:01:00  dummy  loaded    none of ours                          poll
      "
    `);
    expect(cli.server().requests[0]?.query).toEqual({ kmod: 'dummy', since: '2026-11-22T13:03:30.000Z' });
  });
});

describe('hosts label', () => {
  const result = { matched: 2, changed: 1, hosts: [{ id: hostId(1), name: 'web-1' }], unknown: 0, freeze: null };

  it('sets and removes', async () => {
    cli.server().on('PATCH /hosts', json(result));
    const { out, err } = await cli.run(['hosts', 'label', 'web-1', 'web-2', 'env=prod', 'old-', 'empty=']);
    expect(cli.server().requests[0]?.body).toEqual({
      hosts: ['web-1', 'web-2'],
      labels: { env: 'prod', old: null, empty: '' },
    });
    expect([out, err]).toEqual([`web-1\t${hostId(1)}\n`, '1 host changed; 2 hosts matched.\n']);
  });

  it('takes a selector or all', async () => {
    cli.server().on('PATCH /hosts', json(result));
    await cli.run(['hosts', 'label', '-l', 'env=dev', 'a=b']);
    await cli.run(['hosts', 'label', '--all', 'a=b']);
    expect(cli.server().requests.map((request) => request.body)).toEqual([
      { selector: 'env=dev', labels: { a: 'b' } },
      { all: true, labels: { a: 'b' } },
    ]);
  });

  it('refuses doubt before anything is sent', async () => {
    for (const words of [
      ['web-1'],
      ['a=b'],
      ['web-1', '--all', 'a=b'],
      ['web-1', 'a b=c'],
      ['web-1', 'a=b', 'a-'],
      ['web-1', 'a=b c'],
      ['-l', '', 'a=b'],
    ]) {
      expect([words, (await cli.run(['hosts', 'label', ...words])).code]).toEqual([words, 2]);
    }
    expect(cli.server().requests).toEqual([]);
  });
});

describe('hosts retire', () => {
  const retired = {
    host: { id: hostId(1), name: 'web-1' },
    retiredAt: AS_OF,
    retiredBy: 'admin',
    reason: null,
    freeze: null,
  };

  it('asks on a terminal, and a no is a no', async () => {
    cli.server().on('GET /hosts/web-1', json(host));
    cli.server().on(`DELETE /hosts/${hostId(1)}`, json(retired));
    const no = await cli.run(['hosts', 'retire', 'web-1'], { typed: [''] });
    expect([no.code, cli.server().requests.length]).toEqual([1, 1]);
    const yes = await cli.run(['hosts', 'retire', 'web-1', '--reason', 'sold'], { typed: ['y'] });
    expect(yes.code).toBe(0);
    expect(cli.server().requests.at(-1)).toMatchObject({ method: 'DELETE', body: { reason: 'sold' } });
  });

  it('wants --yes where nobody can be asked', async () => {
    expect((await cli.run(['hosts', 'retire', 'web-1'])).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
    cli.server().on('GET /hosts/web-1', json(host));
    cli.server().on(`DELETE /hosts/${hostId(1)}`, json(retired));
    expect((await cli.run(['hosts', 'retire', 'web-1', '--yes'])).code).toBe(0);
  });
});

describe('a host whose name reorders a line', () => {
  const evil = { ...host, name: 'web\u202e1-bew' };

  it('is shown so everywhere: page, question, sentence, JSON', async () => {
    cli.server().on('GET /hosts/web-1', json(evil));
    cli
      .server()
      .on(
        `DELETE /hosts/${hostId(1)}`,
        json({ host: evil, retiredAt: AS_OF, retiredBy: 'me', reason: null, freeze: null }),
      );
    const page = await cli.run(['hosts', 'show', 'web-1'], { columns: 100 });
    const fields = await cli.run(['hosts', 'show', 'web-1', '--json', 'name']);
    const retired = await cli.run(['hosts', 'retire', 'web-1'], { typed: ['y'] });
    for (const text of [page.out, fields.out, retired.err]) {
      expect(text).toContain(String.raw`web\u202e1-bew`);
      expect(text).not.toMatch(/\p{Cf}/u);
    }
    expect(JSON.parse(fields.out)).toEqual({ name: evil.name });
  });

  it('and one that never came is not silent "since ever"', async () => {
    cli.server().on('GET /hosts/web-1', json({ ...host, connected: false, connection: 'silent', lastSeenAt: null }));
    const { out } = await cli.run(['hosts', 'show', 'web-1']);
    expect(out.split('\n')[0]).toBe('web-1  silent: it joined and was never heard of since');
  });
});

describe('hosts revoke', () => {
  const revoked = {
    host: { id: hostId(1), name: 'web-1' },
    revokedAt: AS_OF,
    revokedBy: 'me',
    reason: 'key stolen',
    freeze: null,
  };

  it('asks first, and says why to the server', async () => {
    cli.server().on('GET /hosts/web-1', json(host));
    cli.server().on(`POST /hosts/${hostId(1)}/revoke`, json(revoked));
    const no = await cli.run(['hosts', 'revoke', 'web-1', '--reason', 'key stolen'], { typed: ['n'] });
    expect([no.code, cli.server().requests.length]).toEqual([1, 1]);
    const yes = await cli.run(['hosts', 'revoke', 'web-1', '--reason', 'key stolen'], { typed: ['y'] });
    expect([yes.code, yes.err]).toEqual([
      0,
      expect.stringContaining('web-1 is revoked; its connection ends within 5 seconds.') as string,
    ]);
    expect(cli.server().requests.at(-1)).toMatchObject({ method: 'POST', body: { reason: 'key stolen' } });
  });

  it('wants a reason, and --yes where nobody can be asked', async () => {
    expect((await cli.run(['hosts', 'revoke', 'web-1', '--yes'])).code).toBe(2);
    const asked = await cli.run(['hosts', 'revoke', 'web-1', '--reason', "the key's stolen"]);
    expect([asked.code, asked.err]).toEqual([
      2,
      expect.stringContaining(String.raw`say so: modfleet hosts revoke web-1 --reason 'the key'\''s stolen' --yes`),
    ]);
    expect(cli.server().requests).toEqual([]);
  });

  it('says what becomes of a host that was revoked', async () => {
    cli.server().on('GET /hosts/web-1', json(host));
    cli
      .server()
      .on(`POST /hosts/${hostId(1)}/revoke`, problem(409, 'host_revoked', 'web-1 was revoked: nothing is sent to it'));
    const { code, err } = await cli.run(['hosts', 'revoke', 'web-1', '--reason', 'x', '--yes']);
    expect(code).toBe(6);
    expect(err).toContain('its machine joins anew: modfleet join-tokens create');
    const page = { ...host, connected: false, connection: 'revoked', revokedAt: AS_OF, revokeReason: 'key stolen' };
    cli.server().on('GET /hosts/web-1', json(page));
    const { out } = await cli.run(['hosts', 'show', 'web-1'], { columns: 100 });
    expect(out).toMatch(/^revoked +14:03: key stolen; its machine has to join anew/m);
  });
});

describe('a host in quarantine', () => {
  const machine = {
    address: '10.0.0.7',
    bootId: 'boot-1',
    firstSeen: '2026-11-22T13:00:00.000Z',
    lastSeen: AS_OF,
    certificate: 4,
    how: 'session' as const,
  };
  const machines = [machine, { ...machine, address: '10.0.0.99', bootId: 'boot-2', certificate: 3 }];
  const quarantined: Host = {
    ...host,
    connected: true,
    connection: 'quarantined',
    quarantineReason: 'two machines use this identity',
    machines,
  };

  it('is shown with both machines, and with what to do', async () => {
    cli.server().on('GET /hosts/web-1', json(quarantined));
    const { out } = await cli.run(['hosts', 'show', 'web-1'], { columns: 120 });
    expect(out.slice(out.indexOf('Machines seen'))).toMatchInlineSnapshot(`
      "Machines seen with its identity:
        ADDRESS    BOOT    FIRST SEEN  LAST SEEN  CERTIFICATE
        10.0.0.7   boot-1  13:00       14:03      4
        10.0.0.99  boot-2  13:00       14:03      3

      Next:
        once one machine alone has its identity:  modfleet hosts release web-1
        its kmods:                                modfleet kmods list --host web-1
        what came and went:                       modfleet hosts events web-1
        what it had loaded yesterday:             modfleet hosts show web-1 --at 24h
        its actions:                              modfleet actions list --host web-1
      "
    `);
  });

  it('is released when somebody says so', async () => {
    const released = {
      host: { id: hostId(1), name: 'web-1' },
      quarantineReason: 'two machines',
      machines,
      releasedBy: 'me',
      reason: null,
      freeze: null,
    };
    cli.server().on('GET /hosts/web-1', json(quarantined));
    cli.server().on(`POST /hosts/${hostId(1)}/quarantine/release`, json(released));
    const no = await cli.run(['hosts', 'release', 'web-1'], { typed: [''] });
    expect([no.code, cli.server().requests.length]).toEqual([1, 1]);
    const yes = await cli.run(['hosts', 'release', 'web-1', '--reason', 'the copy is gone'], { typed: ['y'] });
    expect(yes.code).toBe(0);
    expect(cli.server().requests.at(-1)).toMatchObject({ method: 'POST', body: { reason: 'the copy is gone' } });
  });
});
