import { expect, it } from 'vitest';
import { CONFIRM_CASES, type ConfirmCase, confirmRound } from './confirm-rounds.ts';
import type { ProxiedFleet } from './proxied-fleet.ts';

const WINDOW_S = 30;
/** Emulated hosts, several on two cores that other tests use too: this ends what hangs. The proof asks for 30 s. */
const BACK_WITHIN_MS = 300_000;

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

/** Never lose the host: a round of each of these cases on every host, side by side. `npm run proof -- confirm` does fifty. */
export function lostSuite(
  fleet: () => ProxiedFleet,
  hosts: readonly string[],
  cases: readonly ConfirmCase[] = CONFIRM_CASES,
): void {
  it.each(cases)('gets every host back: %s', async (kind) => {
    const world = { ...fleet(), windowSeconds: WINDOW_S, backWithinMs: BACK_WITHIN_MS };
    const rounds = await confirmRound(world, kind, hosts);
    expect(rounds.filter((round) => round.problems.length > 0)).toEqual([]);
  });
}
