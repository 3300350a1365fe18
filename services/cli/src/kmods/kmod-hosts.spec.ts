import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { coverage, e1000eHosts, kmodHost } from '../testing/samples.ts';

const cli = useCli();
const ROUTE = 'GET /kmods/e1000e/hosts';

describe('kmods hosts on a terminal', () => {
  it('shows the whole page', async () => {
    cli.server().on(ROUTE, json(e1000eHosts()));
    const { code, out, err } = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 });
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "3 of 5 hosts run e1000e (loaded on 2, built in on 1); 1 does not, but could load it from disk; 1 unknown:
      silent since 02:11, running it when last seen.
      As of 14:03:22: 4 of 5 hosts fresh, 1 silent.

      HOST   STATE     SEEN    BUILD             TAINT  KERNEL                BLOCKED  DEVICES
      web-1  loaded    2s ago  3.2.6-k 1a2b3c4d         6.1.0-56-amd64        no       eno1 (0000:00:19.0)
      web-2  loaded    2s ago  3.8.4 9f8e7d6c !  OE     6.12.117+deb12-amd64  partly   eno1 (0000:00:19.0)
      db-1   built in  2s ago                           6.1.0-56-amd64        no

      Several builds are loaded:
        1a2b3c4d (version 3.2.6-k) for 6.1.0-56-amd64: web-1
        9f8e7d6c (version 3.8.4) for 6.12.117+deb12-amd64: web-2

        ! web-2: the file on disk is another build than the loaded one; a reload or reboot would change it

      Blocked; what is loaded stays until it is unloaded:
        /etc/modprobe.d/nic.conf:3 on web-2: only its own aliases are ignored; modprobe, dependencies and requests
          by name still load it

      Unknown: 1 host. What was last said may no longer hold.
        db-2 (6.1.0-56-amd64): silent since 02:11; it last said: loaded 3.2.6-k 1a2b3c4d

      Next:
        ask now, with reference counts and holders:  modfleet kmods hosts e1000e --live
        what an unload would do:                     modfleet kmods unload e1000e --host web-1 --dry-run
        why db-2 is unknown:                         modfleet hosts show db-2
        who could load it:                           modfleet kmods hosts e1000e --presence on_disk
        what it is:                                  modfleet kmods show e1000e
      "
    `);
    expect(cli.server().requests[0]?.query).toEqual({ presence: 'loaded,builtin,unknown' });
  });

  it('fits a narrow terminal: no line is longer than it, commands aside', async () => {
    cli.server().on(ROUTE, json(e1000eHosts()));
    const { out } = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 60 });
    const [page = ''] = out.split('\nNext:');
    expect(page.split('\n').filter((line) => line.length > 60)).toEqual([]);
  });

  it('colours only there, and not with NO_COLOR', async () => {
    cli.server().on(ROUTE, json(e1000eHosts()));
    const plain = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 });
    const coloured = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110, env: { NO_COLOR: '' } });
    const piped = await cli.run(['kmods', 'hosts', 'e1000e'], { env: { NO_COLOR: '' } });
    expect(plain.out).not.toContain('\u001b');
    expect(coloured.out).toContain('\u001b[');
    expect(piped.out + piped.err).not.toContain('\u001b');
  });

  it('never says "no" while a host is unknown', async () => {
    const counts = { loaded: 0, builtin: 0, onDisk: 0, absent: 4, unknown: 1 };
    const lastSeen = { loaded: 0, builtin: 0, onDisk: 0, absent: 1 };
    cli.server().on(ROUTE, json(e1000eHosts({ items: [], counts, lastSeen })));
    const { out } = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 });
    expect(out.split('\n')[0]).toBe('0 of 5 hosts are known to run e1000e; 4 do not; 1 unknown: 1 silent.');
  });

  it('does not let a host write to the screen', async () => {
    const evil = kmodHost(1, { host: { id: kmodHost(1).host.id, name: 'web\u001b[2J-1' } });
    cli.server().on(ROUTE, json(e1000eHosts({ items: [evil] })));
    const { out } = await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 });
    expect(out).not.toContain('\u001b');
    expect(out).toContain('web\\x1b[2J-1');
  });

  it('says so when no host matches, and when there is none', async () => {
    const counts = { loaded: 0, builtin: 0, onDisk: 0, absent: 0, unknown: 0 };
    const none = e1000eHosts({ items: [], counts, coverage: coverage({ total: 0, fresh: 0, silent: 0 }) });
    cli.server().on(ROUTE, json(none));
    expect((await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 })).out).toContain('No host has joined yet.');
    const narrowed = await cli.run(['kmods', 'hosts', 'e1000e', '-l', 'env=lab'], { columns: 110 });
    expect(narrowed.out).toContain('No host matches env=lab.');
    expect(cli.server().requests[1]?.query['selector']).toBe('env=lab');
  });
});

describe('kmods hosts in a pipe', () => {
  it('prints tabs without a head, uncut; the sentence goes to stderr', async () => {
    const known = e1000eHosts().items.filter((row) => row.known);
    cli.server().on(ROUTE, json(e1000eHosts({ items: known })));
    const { out, err } = await cli.run(['kmods', 'hosts', 'e1000e']);
    expect(err).toMatchInlineSnapshot(`
      "3 of 5 hosts run e1000e (loaded on 2, built in on 1); 1 does not, but could load it from disk; 1 unknown: 1 silent, running it when last seen.
        which, and why: modfleet kmods hosts e1000e --presence unknown
      "
    `);
    expect(out).toMatchInlineSnapshot(`
      "web-1	loaded	2026-11-22T14:03:20.000Z	1a2b3c4d00000000000000000000000000000000		6.1.0-56-amd64	no	pci:0000:00:19.0	11111111-1111-4111-8111-000000000001	
      web-2	loaded	2026-11-22T14:03:20.000Z	9f8e7d6c00000000000000000000000000000000	OE	6.12.117+deb12-amd64	partly	pci:0000:00:19.0	11111111-1111-4111-8111-000000000002	
      db-1	builtin	2026-11-22T14:03:20.000Z			6.1.0-56-amd64	no		11111111-1111-4111-8111-000000000003	
      "
    `);
    expect(cli.server().requests[0]?.query).toEqual({ presence: 'loaded,builtin' });
  });

  it('calls a row unknown that is not fresh, whatever it last said', async () => {
    cli.server().on(ROUTE, json(e1000eHosts({ items: e1000eHosts().items.slice(3) })));
    const { out } = await cli.run(['kmods', 'hosts', 'e1000e', '--presence', 'unknown']);
    expect(out.split('\t').slice(0, 2)).toEqual(['db-2', 'unknown']);
  });

  it('takes every page', async () => {
    const [first, ...others] = e1000eHosts().items;
    cli
      .server()
      .on(
        ROUTE,
        json(e1000eHosts({ items: first ? [first] : [], nextCursor: 'c1' })),
        json(e1000eHosts({ items: others, counts: { loaded: 9, builtin: 9, onDisk: 9, absent: 9, unknown: 9 } })),
      );
    const { out } = await cli.run(['kmods', 'hosts', 'e1000e', '--all-pages', '--json', 'counts,items']);
    const answer = JSON.parse(out) as { items: unknown[]; counts: { loaded: number } };
    expect(answer.items).toHaveLength(4);
    expect(answer.counts.loaded).toBe(2);
    expect(cli.server().requests.map((request) => request.query['cursor'])).toEqual([undefined, 'c1']);
  });

  it('says that there is more', async () => {
    cli.server().on(ROUTE, json(e1000eHosts({ nextCursor: 'c1' })));
    expect((await cli.run(['kmods', 'hosts', 'e1000e', '--limit', '4'])).err).toContain('There is more');
  });
});

describe('kmods hosts --exit-status', () => {
  it.each([
    [{ loaded: 1, builtin: 0, unknown: 0 }, 0],
    [{ loaded: 0, builtin: 1, unknown: 0 }, 0],
    [{ loaded: 0, builtin: 0, unknown: 0 }, 1],
    [{ loaded: 0, builtin: 0, unknown: 1 }, 8],
    [{ loaded: 5, builtin: 0, unknown: 1 }, 8],
  ])('%o ends with %i', async (counts, code) => {
    cli.server().on(ROUTE, json(e1000eHosts({ counts: { onDisk: 0, absent: 0, ...counts } })));
    expect((await cli.run(['kmods', 'hosts', 'e1000e', '--exit-status'])).code).toBe(code);
    expect((await cli.run(['kmods', 'hosts', 'e1000e'])).code).toBe(0);
  });
});

describe('kmods hosts with a selector', () => {
  it('tells of the hosts that may match, and does not call the answer complete', async () => {
    const counts = { loaded: 2, builtin: 0, onDisk: 0, absent: 0, unknown: 0 };
    cli.server().on(ROUTE, json(e1000eHosts({ counts, selectorUnknown: 2 })));
    const piped = await cli.run(['kmods', 'hosts', 'e1000e', '-l', '@loaded=x', '--exit-status']);
    expect(piped.code).toBe(8);
    expect(piped.err).toContain('2 more hosts may match');
    expect((await cli.run(['kmods', 'hosts', 'e1000e'], { columns: 110 })).out).toContain('2 more hosts may match');
  });
});

describe('kmods hosts, errors', () => {
  it('points at the character of a bad selector', async () => {
    cli.server().on(ROUTE, problem(400, 'selector_invalid', 'a value is missing after "="', { offset: 4 }));
    const { code, err } = await cli.run(['kmods', 'hosts', 'e1000e', '-l', 'env=,role=db']);
    expect(code).toBe(2);
    expect(err).toMatchInlineSnapshot(`
      "modfleet: a value is missing after "="
        env=,role=db
            ^
        how selectors are written: modfleet help selectors
      "
    `);
  });

  it('names near kmods when nothing knows the name', async () => {
    cli
      .server()
      .on(
        'GET /kmods/e1000f/hosts',
        problem(404, 'kmod_unknown', 'no host knows e1000f', { candidates: ['e1000e', 'e1000'] }),
      );
    const { code, err } = await cli.run(['kmods', 'hosts', 'e1000f']);
    expect(code).toBe(3);
    expect(err).toMatchInlineSnapshot(`
      "modfleet: no host knows e1000f
        did you mean: modfleet kmods hosts e1000e
        did you mean: modfleet kmods hosts e1000
        look for it: modfleet kmods list --presence any --name '*e1000f*'
      "
    `);
  });

  it('sends nothing that can be seen to be wrong', async () => {
    const bad = ['', '-r', '/etc/passwd', '../x', 'a b', 'x;reboot', '$(id)', 'a\nb', 'a\0b', 'еth0', 'x'.repeat(56)];
    for (const name of bad) expect([name, (await cli.run(['kmods', 'hosts', name])).code]).toEqual([name, 2]);
    for (const options of [
      ['-l', ''],
      ['-l', ' '],
      ['--limit', '0'],
      ['--limit', '1000000000'],
      ['--limit', '1e3'],
      ['--presence', 'here'],
      ['--timeout', '2s'],
      ['--live', '--timeout', '1h'],
      ['--json'],
      ['--json', 'nope'],
    ]) {
      expect([options, (await cli.run(['kmods', 'hosts', 'e1000e', ...options])).code]).toEqual([options, 2]);
    }
    expect(cli.server().requests).toEqual([]);
  });
});
