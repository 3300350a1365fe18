import { describe, expect, it } from 'vitest';
import type { HostDiff, HostPast, KmodPast } from '@modfleet/server/api-types';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, hostId } from '../testing/samples.ts';

const cli = useCli();
const tty = { columns: 100 };

const at = '2026-11-22T10:00:00.000Z';
const past: HostPast = {
  host: { id: hostId(1), name: 'web-1' },
  at,
  asOf: AS_OF,
  keptSince: '2026-08-24T14:03:22.000Z',
  seen: true,
  seenAt: at,
  seenNext: null,
  unknown: null,
  kmods: [
    {
      name: 'e1000e',
      buildId: 'ab'.repeat(20),
      size: 4096,
      taint: 'OE',
      version: '3.8.7',
      srcversion: null,
      whole: true,
    },
    { name: 'floppy', buildId: null, size: null, taint: null, version: null, srcversion: null, whole: false },
  ],
  freeze: null,
};

describe('hosts show --at', () => {
  it('prints what was loaded then, and what is not known of it', async () => {
    cli.server().on('GET /hosts/web-1/past', json(past));
    const ended = await cli.run(['hosts', 'show', 'web-1', '--at', '2026-11-22 11:00+01:00'], tty);
    expect(ended).toEqual({
      code: 0,
      err: '',
      out: `web-1 at 10:00:00: 2 kmods loaded; it was connected then.

KMOD    BUILD     VERSION  TAINT  SIZE
e1000e  abababab  3.8.7    OE     4096
floppy  ?         ?        ?      ?

"?": it was unloaded since, and its build was not kept.
`,
    });
    expect(cli.server().requests[0]?.query).toEqual({ at });
  });

  it('says that the host was away, and whether it was seen since', async () => {
    const away = { ...past, seen: false, seenAt: '2026-11-22T09:30:00.000Z', kmods: [] };
    cli.server().on('GET /hosts/web-1/past', json({ ...away, seenNext: '2026-11-22T12:00:00.000Z' }));
    const { out } = await cli.run(['hosts', 'show', 'web-1', '--at', '4h'], tty);
    expect(out).toBe(
      'web-1 at 10:00:00: not connected then: last seen 09:30:00, next seen 12:00:00. 0 kmods loaded when it was last seen; what came and went while it was away is not known.\n',
    );
    cli.server().on('GET /hosts/web-1/past', json(away));
    expect((await cli.run(['hosts', 'show', 'web-1', '--at', '4h'], tty)).out).toContain('not seen since');
  });

  it('says why nothing is known, and prints no row', async () => {
    const unknown = { ...past, seen: false, seenAt: null, unknown: 'before_first_report' as const, kmods: null };
    cli.server().on('GET /hosts/web-1/past', json(unknown));
    expect(await cli.run(['hosts', 'show', 'web-1', '--at', '4h'])).toEqual({
      code: 0,
      out: '',
      err: 'web-1 at 10:00:00: unknown: no connection of it is on record from before that time.\n',
    });
  });

  it('gives JSON, tabs for a pipe, and the exit code of a time that is not kept', async () => {
    cli.server().on('GET /hosts/web-1/past', json(past));
    const asJson = await cli.run(['hosts', 'show', 'web-1', '--at', '4h', '--json', 'seen,kmods']);
    expect(JSON.parse(asJson.out)).toEqual({ seen: true, kmods: past.kmods });
    const piped = await cli.run(['hosts', 'show', 'web-1', '--at', '4h']);
    expect(piped.out).toBe(`e1000e\t${'ab'.repeat(20)}\t3.8.7\tOE\t4096\nfloppy\t?\t?\t?\t?\n`);
    const detail =
      'what hosts had loaded at 2026-01-01T00:00:00.000Z is not kept: the earliest time is 2026-08-24T14:03:22.000Z';
    cli.server().on('GET /hosts/web-1/past', problem(410, 'history_not_kept', detail));
    expect(await cli.run(['hosts', 'show', 'web-1', '--at', '2026-01-01T00:00Z'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('is not kept') as string,
    });
  });
});

const kmodPast: KmodPast = {
  name: 'floppy',
  requested: 'floppy',
  resolvedBy: 'name',
  at,
  asOf: AS_OF,
  keptSince: '2026-08-24T14:03:22.000Z',
  counts: { loaded: 1, notLoaded: 2, unknown: 1 },
  lastSeen: { loaded: 1, notLoaded: 0 },
  selectorUnknown: 0,
  items: [
    {
      host: { id: hostId(1), name: 'web-1' },
      presence: 'loaded',
      seen: true,
      seenAt: at,
      seenNext: null,
      unknown: null,
    },
    {
      host: { id: hostId(2), name: 'db-2' },
      presence: 'loaded',
      seen: false,
      seenAt: '2026-11-22T09:30:00.000Z',
      seenNext: null,
      unknown: null,
    },
  ],
  nextCursor: null,
  freeze: null,
};

describe('kmods hosts --at', () => {
  it('counts what was connected then, and tells the others apart', async () => {
    cli.server().on('GET /kmods/floppy/past', json(kmodPast));
    expect(await cli.run(['kmods', 'hosts', 'floppy', '--at', '4h'], tty)).toEqual({
      code: 0,
      err: '',
      out: `floppy was loaded on 1 of 4 hosts at 10:00:00; 1 host unknown: not connected then; 1 of these had it when they were last seen before.

HOST   STATE   SEEN
web-1  loaded  connected then
db-2   loaded  not connected then: last seen 09:30:00, not seen since
`,
    });
  });

  it('exits by what is known', async () => {
    const ask = async (counts: KmodPast['counts']): Promise<number> => {
      cli.server().on('GET /kmods/floppy/past', json({ ...kmodPast, counts }));
      return (await cli.run(['kmods', 'hosts', 'floppy', '--at', '4h', '--exit-status'])).code;
    };
    expect(await ask({ loaded: 1, notLoaded: 1, unknown: 0 })).toBe(0);
    expect(await ask({ loaded: 0, notLoaded: 2, unknown: 0 })).toBe(1);
    expect(await ask({ loaded: 1, notLoaded: 0, unknown: 1 })).toBe(8);
  });

  it('refuses what has no history, and asking live beside it', async () => {
    const wrong = await cli.run(['kmods', 'hosts', 'floppy', '--at', '4h', '--presence', 'builtin']);
    expect(wrong).toMatchObject({
      code: 2,
      err: expect.stringContaining('only what was loaded is on record') as string,
    });
    expect((await cli.run(['kmods', 'hosts', 'floppy', '--at', '4h', '--live'])).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
  });
});

const entry = (buildId: string) => ({
  buildId,
  size: 4096,
  taint: '',
  version: null,
  srcversion: null,
  state: 'live' as const,
});
const fresh = { coverage: 'fresh' as const, observedAt: AS_OF, reason: null };
const diff: HostDiff = {
  a: { id: hostId(1), name: 'web-1' },
  b: { id: hostId(2), name: 'web-2' },
  asOf: AS_OF,
  same: false,
  facets: [
    { facet: 'loaded', a: fresh, b: fresh },
    { facet: 'parameters', a: fresh, b: { coverage: 'silent', observedAt: null, reason: 'not connected' } },
  ],
  kernel: [{ field: 'kernelRelease', a: '6.1.0-49', b: '6.1.0-51' }],
  kmods: [
    { name: 'e1000e', a: { ...entry('aa'), taint: 'OE' }, b: entry('bb'), differs: ['buildId', 'taint'] },
    { name: 'ext4', a: entry('aa'), b: entry('bb'), differs: ['buildId'] },
    { name: 'floppy', a: entry('aa'), b: null, differs: [] },
  ],
  parameters: null,
  config: [{ what: 'modprobe.d: blacklist floppy', a: null, b: '/etc/modprobe.d/x.conf:3' }],
  devices: [
    {
      bus: 'pci',
      address: '0000:00:1f.6',
      a: { modalias: 'pci:x', driver: 'e1000e', kmod: 'e1000e', builtin: false, names: ['eth0'] },
      b: { modalias: 'pci:x', driver: '', kmod: null, builtin: false, names: [] },
    },
  ],
  freeze: null,
};

describe('hosts diff', () => {
  it('prints part by part what differs, what was not compared and what may be old', async () => {
    cli.server().on('GET /hosts/web-1/diff', json(diff));
    expect((await cli.run(['hosts', 'diff', 'web-1', 'web-2'], tty)).out).toBe(`web-1 and web-2

Kernel and system:
  WHAT    WEB-1     WEB-2
  kernel  6.1.0-49  6.1.0-51

Loaded kmods:
  WHAT    WEB-1               WEB-2
  e1000e  build aa, taint OE  build bb, taint none
  floppy  loaded              -

  1 kmod loaded on both in another build, as another kernel has it (all: --json kmods)

Configuration:
  WHAT                          WEB-1  WEB-2
  modprobe.d: blacklist floppy  -      /etc/modprobe.d/x.conf:3

Devices and drivers:
  WHAT              WEB-1        WEB-2
  pci 0000:00:1f.6  e1000e eth0  no driver

Not compared, because one of the two never reported it: parameters.
What web-2 says of parameters may no longer hold: not connected.
`);
    expect(cli.server().requests[0]?.query).toEqual({ with: 'web-2' });
  });

  it('gives every difference to a pipe, another build too', async () => {
    cli.server().on('GET /hosts/web-1/diff', json(diff));
    const { out, err } = await cli.run(['hosts', 'diff', 'web-1', 'web-2']);
    expect(out.split('\n')).toContain('kmods\text4\tbuild aa\tbuild bb');
    expect(out.split('\n')).toContain('kmods\tfloppy\tloaded\t');
    expect(err).toContain('Not compared');
  });

  it('exits 0 for the same, 1 for different, 8 when it is not known', async () => {
    const none = { ...diff, kernel: [], kmods: [], parameters: [], config: [], devices: [] };
    const ask = async (answer: HostDiff): Promise<number> => {
      cli.server().on('GET /hosts/web-1/diff', json(answer));
      return (await cli.run(['hosts', 'diff', 'web-1', 'web-2', '--exit-status'])).code;
    };
    expect(await ask({ ...none, same: true })).toBe(0);
    expect(await ask(diff)).toBe(1);
    expect(await ask({ ...none, parameters: null })).toBe(8);
  });
});
