import { afterAll, beforeAll, expect, it } from 'vitest';
import { HOST_NETWORKS } from '../../../../lab/src/lab.ts';
import { confirmFleet } from '../../support/confirm-fleet.ts';
import { CONFIRM_CASES, confirmRound } from '../../support/confirm-rounds.ts';

/** Never lose the host: one round of each case on each kind of network, side by side. `npm run proof -- confirm` does fifty. */
const WINDOW_S = 30;
/** Three emulated hosts on two cores: each program that starts takes seconds, and a killed agent's revert starts three. The proof asks for 30 s. */
const BACK_WITHIN_MS = 120_000;
let fleet: Awaited<ReturnType<typeof confirmFleet>>;

beforeAll(async () => {
  fleet = await confirmFleet(HOST_NETWORKS);
}, 600_000);

afterAll(async () => {
  await fleet?.stop();
}, 60_000);

it('keeps a reload whose confirm comes in time, over a connection of its own', async () => {
  const [name = ''] = fleet.hosts;
  const host = fleet.lab.host(name);
  const ports = (await host.must("awk 'NR > 1 { print $2 }' /proc/net/tcp"))
    .split('\n')
    .map((one) => one.split(':')[1]);
  const window = ['--confirm-window', String(WINDOW_S), '--override', 'route'];
  const { action } = await fleet.lab.act('reload', 'virtio_net', name, ...window);
  const { confirm } = action.result as unknown as { confirm: { end: string; localAddress: string; missing: string[] } };
  expect([action.outcome, confirm.end, confirm.missing]).toEqual(['succeeded', 'kept', []]);
  const port = Number(confirm.localAddress.split(':').at(-1));
  expect(ports).not.toContain(port.toString(16).toUpperCase().padStart(4, '0'));
}, 120_000);

it.each(CONFIRM_CASES)(
  'gets every host back: %s',
  async (kind) => {
    const world = { ...fleet, windowSeconds: WINDOW_S, backWithinMs: BACK_WITHIN_MS };
    const rounds = await confirmRound(world, kind, fleet.hosts);
    expect(rounds.filter((round) => round.problems.length > 0)).toEqual([]);
  },
  300_000,
);
