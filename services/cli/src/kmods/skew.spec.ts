import { describe, expect, it } from 'vitest';
import type { KmodSkew, KmodSkewItem, KmodSkewList, KmodSkewVariant } from '@modfleet/server/api-types';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { ACTION_ID, AS_OF, coverage, hostId } from '../testing/samples.ts';

const cli = useCli();

const none = { kernels: 0, hosts: 0 };
const item = (fields: Partial<KmodSkewItem>): KmodSkewItem => ({
  name: 'e1000e',
  hosts: 40,
  builds: none,
  versions: none,
  signers: none,
  fileDiffers: 0,
  fileMissing: 0,
  fileUnknown: 2,
  outOfTree: 0,
  unsigned: 0,
  first: null,
  ...fields,
});
const host = (n: number) => ({ id: hostId(n), name: `web-${n}` });
const listed: KmodSkewList = {
  items: [
    item({ builds: { kernels: 1, hosts: 1 }, fileDiffers: 3, outOfTree: 1, unsigned: 1 }),
    item({
      name: 'evil',
      hosts: 1,
      fileMissing: 1,
      outOfTree: 1,
      fileUnknown: 0,
      first: { at: '2026-11-22T03:12:00.000Z', host: host(9), kind: 'loaded', actionId: null },
    }),
  ],
  nextCursor: null,
  selectorUnknown: 0,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: null,
};
const way = (fields: Partial<KmodSkewVariant>): KmodSkewVariant => ({
  kernel: { release: '6.1.0-56-amd64', version: '#1 SMP Debian 6.1.164-1', architecture: 'x86_64' },
  buildId: `1a2b3c4d${'0'.repeat(32)}`,
  version: null,
  srcversion: null,
  taint: '',
  outOfTree: false,
  unsigned: false,
  signer: 'Debian Secure Boot CA',
  file: 'same',
  hosts: 3,
  mostCommon: true,
  examples: [host(1), host(2), host(3)],
  oldest: { host: host(1), receivedAt: AS_OF },
  ...fields,
});
const shown: KmodSkew = {
  name: 'e1000e',
  requested: 'e1000e',
  resolvedBy: 'name',
  hosts: 4,
  items: [
    way({}),
    way({
      buildId: `9f8e7d6c${'0'.repeat(32)}`,
      taint: 'OE',
      outOfTree: true,
      unsigned: true,
      signer: null,
      file: 'differs',
      hosts: 1,
      mostCommon: false,
      examples: [host(4)],
    }),
  ],
  nextCursor: null,
  parameters: {
    compared: 3,
    of: 4,
    differing: [
      {
        parameter: 'debug',
        valueCount: 2,
        values: [
          { value: '0', hosts: 2, examples: [host(1), host(2)] },
          { value: '7', hosts: 1, examples: [host(4)] },
        ],
      },
    ],
  },
  first: { at: '2026-11-22T03:12:00.000Z', host: host(4), kind: 'changed', actionId: ACTION_ID },
  selectorUnknown: 0,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: null,
};

describe('kmods skew', () => {
  it('shows what is odd, on how many hosts, and who had it first', async () => {
    cli.server().on('GET /skew/kmods', json(listed));
    const { out, err } = await cli.run(['kmods', 'skew'], { columns: 140 });
    expect(out).toMatchInlineSnapshot(`
      "KMOD    HOSTS  ODD BUILD  FILE DIFFERS  NO FILE  OUT OF TREE  UNSIGNED  FIRST SEEN
      e1000e  40     1          3                      1            1
      evil    1                               1        1                      03:12 on web-9
      "
    `);
    expect(err).toContain('As of 14:03:22: 4 of 5 hosts fresh, 1 silent.');
    expect(err).toContain('modfleet kmods skew e1000e');
  });

  it('prints figures to a pipe, and asks for what was narrowed', async () => {
    cli.server().on('GET /skew/kmods', json(listed));
    const argv = ['kmods', 'skew', '--kind', 'build,file', '--name', 'e*', '-l', 'env=prod'];
    const { out } = await cli.run(argv);
    expect(out.split('\n')).toEqual([
      'e1000e\t40\t1\t0\t0\t3\t0\t1\t1\t\t\t2',
      'evil\t1\t0\t0\t0\t0\t1\t1\t0\t2026-11-22T03:12:00.000Z\tweb-9\t0',
      '',
    ]);
    expect(cli.server().requests[0]?.query).toEqual({ kind: 'build,file', name: 'e*', selector: 'env=prod' });
    const { out: picked } = await cli.run(['kmods', 'skew', '--json', 'name,builds']);
    expect(JSON.parse(picked)).toEqual([
      { name: 'e1000e', builds: { kernels: 1, hosts: 1 } },
      { name: 'evil', builds: none },
    ]);
  });

  it('says that nothing is odd of the hosts that are known, not of all', async () => {
    cli.server().on('GET /skew/kmods', json({ ...listed, items: [] }));
    const { out, err } = await cli.run(['kmods', 'skew']);
    expect(out).toBe('');
    expect(err).toBe('No kmod is odd on the hosts that are known.\nAs of 14:03:22: 4 of 5 hosts fresh, 1 silent.\n');
  });

  it('of one kmod shows in which ways it is loaded, and where', async () => {
    cli.server().on('GET /kmods/e1000e/skew', json(shown));
    const { out, err } = await cli.run(['kmods', 'skew', 'e1000e'], { columns: 140 });
    expect(out).toMatchInlineSnapshot(`
      "KERNEL          BUILD       TAINT  SIGNER                 FILE     HOSTS  WHICH
      6.1.0-56-amd64  1a2b3c4d           Debian Secure Boot CA  same     3      web-1,web-2,web-3
      6.1.0-56-amd64  9f8e7d6c !  OE     unsigned               differs  1      web-4
      "
    `);
    expect(err).toMatchInlineSnapshot(`
      "Parameters that differ, on 3 of 4 hosts:
        debug: 0 on 2 (web-1, web-2); 7 on 1 (web-4)
      First on record: changed on web-4 at 03:12:00, by action 22222222-2222-4222-8222-222222222222.
      As of 14:03:22: 4 of 5 hosts fresh, 1 silent.

      Next:
        every host with its build:        modfleet kmods hosts e1000e --output csv
        what changed on web-4:            modfleet hosts events web-4 --kmod e1000e
        what came and went, and by whom:  modfleet events list --kmod e1000e
      "
    `);
  });

  it('does not call parameters the same where none are known', async () => {
    cli
      .server()
      .on('GET /kmods/e1000e/skew', json({ ...shown, parameters: { compared: 0, of: 4, differing: [] }, first: null }));
    const { err } = await cli.run(['kmods', 'skew', 'e1000e']);
    expect(err).toContain('Parameters: known of no host now.');
    expect(err).toContain('No event of e1000e coming is on record.');
  });

  it('refuses what does not belong together, and names kmods like one that nobody knows', async () => {
    for (const words of [
      ['e1000e', '--kind', 'build'],
      ['e1000e', '--name', 'x*'],
      ['--kind', 'odd'],
    ])
      expect((await cli.run(['kmods', 'skew', ...words])).code).toBe(2);
    expect(cli.server().requests).toEqual([]);
    cli
      .server()
      .on('GET /kmods/e1000/skew', problem(404, 'kmod_unknown', 'no host has it', { candidates: ['e1000e'] }));
    expect(await cli.run(['kmods', 'skew', 'e1000'])).toMatchObject({ code: 3 });
  });
});
