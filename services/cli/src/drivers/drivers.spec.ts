import { describe, expect, it } from 'vitest';
import { json, problem } from '../testing/fake-server.ts';
import { useCli } from '../testing/run-cli.ts';
import { AS_OF, coverage, hostId } from '../testing/samples.ts';

const cli = useCli();

const row = (n: number, builtin: boolean) => ({
  host: { id: hostId(n), name: `web-${n}` },
  driver: 'virtio_blk',
  kmod: builtin ? null : 'virtio_blk',
  builtin,
  presence: builtin ? 'builtin' : 'bound',
  devices: [{ bus: 'virtio', address: `virtio${n}`, modalias: 'virtio:d2v1', names: ['vda'] }],
  known: true,
  coverage: 'fresh',
  observedAt: AS_OF,
  ageMs: 2000,
  reason: null,
  kernelRelease: '6.1.0-56-amd64',
});
const silent = { ...row(3, false), known: false, coverage: 'silent', observedAt: '2026-11-22T02:11:00.000Z' };
const answer = {
  name: 'virtio_blk',
  kmods: ['virtio_blk'],
  items: [row(1, false), row(2, true), silent],
  nextCursor: null,
  counts: { bound: 1, builtin: 1, none: 2, unknown: 1 },
  lastSeen: { bound: 1, builtin: 0, none: 0 },
  selectorUnknown: 0,
  asOf: AS_OF,
  coverage: coverage(),
  freeze: null,
};

describe('drivers hosts', () => {
  it('finds a driver that is built in as well', async () => {
    cli.server().on('GET /drivers/virtio_blk/hosts', json(answer));
    expect((await cli.run(['drivers', 'hosts', 'virtio_blk'], { columns: 110 })).out).toMatchInlineSnapshot(`
      "2 of 5 hosts have a device on driver virtio_blk (from a kmod on 1, built in on 1); 2 do not; 1 unknown: silent
      since 02:11, having one when last seen.
      It comes from virtio_blk.
      As of 14:03:22: 4 of 5 hosts fresh, 1 silent.

      HOST   KMOD        SEEN    KERNEL          DEVICES
      web-1  virtio_blk  2s ago  6.1.0-56-amd64  vda (virtio virtio1)
      web-2  built in    2s ago  6.1.0-56-amd64  vda (virtio virtio2)

      Unknown: 1 host. What was last said may no longer hold.
        web-3 (6.1.0-56-amd64): silent since 02:11; it last said: virtio_blk

      Next:
        who runs virtio_blk:  modfleet kmods hosts virtio_blk
      "
    `);
  });

  it('prints tabs to a pipe, and an honest exit code', async () => {
    cli.server().on('GET /drivers/virtio_blk/hosts', json(answer));
    const { code, out } = await cli.run(['drivers', 'hosts', 'virtio_blk', '--exit-status']);
    expect(code).toBe(8);
    expect(out.split('\n')[1]).toBe(`web-2\tbuiltin\t${AS_OF}\t6.1.0-56-amd64\tvirtio:virtio2\tfresh\t${hostId(2)}`);
  });

  it('names the next command when nothing has it', async () => {
    cli.server().on('GET /drivers/nope/hosts', problem(404, 'driver_unknown', 'no host reports a driver nope'));
    const { code, err } = await cli.run(['drivers', 'hosts', 'nope']);
    expect([code, err]).toEqual([
      3,
      'modfleet: no host reports a driver nope\n  a kmod of that name: modfleet kmods hosts nope\n',
    ]);
  });
});
