import { expect, it } from 'vitest';
import { COMMON_CASES, type ConfirmCase, type ConfirmRound, confirmRound, LONE_CASES } from './confirm-rounds.ts';
import type { ProxiedFleet } from './proxied-fleet.ts';

const WINDOW_S = 30;
/** Emulated hosts, several on two cores that other tests use too: this ends what hangs. The proof asks for 30 s. */
export const CONFIRM_TIMES = { windowSeconds: WINDOW_S, backWithinMs: 300_000 };

/** The confirm comes in time. */
export function keptSuite(fleet: () => ProxiedFleet, name: string): void {
  it('keeps a reload whose confirm comes in time, over a connection of its own', async () => {
    const { lab } = fleet();
    const ports = (await lab.host(name).read('/proc/net/tcp'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1]?.split(':')[1]);
    const window = ['--confirm-window', String(WINDOW_S), '--override', 'route'];
    const { action } = await lab.act('reload', 'virtio_net', name, ...window);
    const { confirm } = action.result as unknown as {
      confirm: { end: string; localAddress: string; missing: string[] };
    };
    expect([action.outcome, confirm.end, confirm.missing]).toEqual(['succeeded', 'kept', []]);
    const port = Number(confirm.localAddress.split(':').at(-1));
    expect(ports).not.toContain(port.toString(16).toUpperCase().padStart(4, '0'));
  });
}

/** Never lose the host: a round of every case on each of these hosts, which are all of the fleet. `npm run proof -- confirm` does fifty. */
export function lostSuite(fleet: () => ProxiedFleet, hosts: readonly string[]): void {
  const wrongOf = async (kind: ConfirmCase, names: readonly string[]): Promise<ConfirmRound[]> => {
    const world = { ...fleet(), ...CONFIRM_TIMES };
    return (await confirmRound(world, kind, names)).filter((round) => round.problems.length > 0);
  };

  // Each goes on when it is back: they wait most of the time, at different moments.
  it.concurrent.each(hosts)('gets %s back every time: cut, its agent killed, rebooted', async (name) => {
    for (const kind of LONE_CASES) expect(await wrongOf(kind, [name])).toEqual([]);
  });

  it.each(COMMON_CASES)('gets every host back: %s', async (kind) => {
    expect(await wrongOf(kind, hosts)).toEqual([]);
  });
}
