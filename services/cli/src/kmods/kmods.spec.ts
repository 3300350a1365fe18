import { describe, expect, it } from 'vitest';
import { json } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, coverage, e1000eHosts, hostId } from '../testing/samples.ts';

const cli = useCli();

describe('kmods list', () => {
  const item = (name: string, loaded: number, last: number) => ({
    name,
    counts: { loaded, builtin: 0, onDisk: 1 },
    lastSeen: { loaded: last, builtin: 0, onDisk: 0 },
  });
  const answer = {
    items: [item('e1000e', 2, 1), item('floppy', 1, 0)],
    nextCursor: null,
    asOf: AS_OF,
    coverage: coverage(),
    freeze: null,
  };

  it('counts over the fleet, and says what it rests on', async () => {
    cli.server().on('GET /kmods', json(answer));
    const { out, err } = await cli.run(['kmods', 'list', '--name', 'f*', '--presence', 'any'], { columns: 100 });
    expect(out).toMatchInlineSnapshot(`
      "KMOD    LOADED  BUILT IN  ON DISK  LAST SEEN ON UNKNOWN
      e1000e  2       0         1        1
      floppy  1       0         1
      "
    `);
    expect(err).toBe('As of 14:03:22: 4 of 5 hosts fresh, 1 silent.\n');
    expect(cli.server().requests[0]?.query).toEqual({ name: 'f*', presence: 'any' });
  });

  it('lists those of one host, and warns when they are old', async () => {
    const standing = { coverage: 'fresh', observedAt: AS_OF, ageMs: 1, reason: null };
    const kmod = {
      name: 'dummy',
      presence: 'loaded',
      state: 'live',
      buildId: 'cd'.repeat(20),
      size: 16384,
      taint: 'OE',
      version: null,
      srcversion: null,
      fileDiffers: true,
      path: 'kernel/drivers/net/dummy.ko',
      parameters: { numdummies: '0', secret: null },
      blocks: [],
    };
    const old = { coverage: 'silent', observedAt: '2026-11-22T02:11:00.000Z', ageMs: 1, reason: null };
    cli.server().on(
      'GET /hosts/web-1/kmods',
      json({
        host: { id: hostId(1), name: 'web-1' },
        items: [kmod],
        nextCursor: null,
        counts: { loaded: 1, builtin: 0, onDisk: 0 },
        asOf: AS_OF,
        facets: { loaded: old, available: standing, config: standing },
        freeze: null,
      }),
    );
    const { out, err } = await cli.run(['kmods', 'list', '--host', 'web-1'], { columns: 100 });
    expect(out).toMatchInlineSnapshot(`
      "KMOD   STATE   SIZE   BUILD       TAINT  PARAMETERS
      dummy  loaded  16384  cdcdcdcd !  OE     numdummies=0 secret=?
      "
    `);
    expect(err).toBe('Not known now (loaded): web-1 silent since 02:11. What is above is what it last said.\n');
  });
});

describe('kmods show', () => {
  it('says what it is', async () => {
    const {
      items: _items,
      nextCursor: _cursor,
      ...tally
    } = e1000eHosts({ requested: 'pci:v00008086d1', resolvedBy: 'alias', candidates: ['e1000'] });
    cli.server().on(
      'GET /kmods/pci:v00008086d1',
      json({
        ...tally,
        description: 'Intel(R) PRO/1000 Network Driver',
        license: 'GPL v2',
        builds: [{ buildId: 'ab'.repeat(20), version: '3.2.6-k', kernelRelease: '6.1.0-56-amd64', hosts: 2 }],
        drivers: ['e1000e'],
        aliases: 118,
        depends: ['ptp', 'pps_core'],
        blocked: { no: 3, partly: 1, kernel: 0, unknown: 1 },
      }),
    );
    expect((await cli.run(['kmods', 'show', 'pci:v00008086d1'], { columns: 100 })).out).toMatchInlineSnapshot(`
      "e1000e  Intel(R) PRO/1000 Network Driver
      3 of 5 hosts run e1000e (loaded on 2, built in on 1); 1 does not, but could load it from disk; 1
      unknown: 1 silent, running it when last seen.
      As of 14:03:22: 4 of 5 hosts fresh, 1 silent.

      asked as    pci:v00008086d1 (alias)
      also meant  e1000
      license     GPL v2
      drivers     e1000e
      depends on  ptp and pps_core
      aliases     118
      blocked     no on 3, partly on 1, by the kernel on 0, unknown on 1

      1 build loaded:
        BUILD     VERSION  KERNEL          HOSTS
        abababab  3.2.6-k  6.1.0-56-amd64  2

      Next:
        which hosts:  modfleet kmods hosts e1000e
      "
    `);
  });
});
