import { expect, it } from 'vitest';
import { type ConfirmCase, confirmRound } from './confirm-rounds.ts';
import type { ProxiedFleet } from './proxied-fleet.ts';

const WINDOW_S = 30;
/** Three emulated hosts on two cores that other tests use too: this ends what hangs. The proof asks for 30 s. */
const BACK_WITHIN_MS = 300_000;

/** One host of each kind of network. */
export interface ConfirmHosts {
  readonly networkd: string;
  readonly ifupdown: string;
  readonly vlanBond: string;
}

/**
 * Never lose the host: each case once, and each kind of network. Every case on every network, fifty times, is `npm run proof -- confirm`: a round keeps
 * an emulated host busy for half a minute, and there are fifteen.
 */
export function confirmSuite(fleet: () => ProxiedFleet, { networkd, ifupdown, vlanBond }: ConfirmHosts): void {
  const problems = async (kind: ConfirmCase, host: string): Promise<unknown[]> => {
    const world = { ...fleet(), windowSeconds: WINDOW_S, backWithinMs: BACK_WITHIN_MS };
    return (await confirmRound(world, kind, [host])).filter((round) => round.problems.length > 0);
  };

  it('keeps a reload whose confirm comes in time, over a connection of its own', async () => {
    const { lab } = fleet();
    const ports = (await lab.host(networkd).read('/proc/net/tcp'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1]?.split(':')[1]);
    const window = ['--confirm-window', String(WINDOW_S), '--override', 'route'];
    const { action } = await lab.act('reload', 'virtio_net', networkd, ...window);
    const { confirm } = action.result as unknown as {
      confirm: { end: string; localAddress: string; missing: string[] };
    };
    expect([action.outcome, confirm.end, confirm.missing]).toEqual(['succeeded', 'kept', []]);
    const port = Number(confirm.localAddress.split(':').at(-1));
    expect(ports).not.toContain(port.toString(16).toUpperCase().padStart(4, '0'));
  });

  it('gets hosts back that were cut off, whose agent was killed, or that rebooted inside the window', async () => {
    const rounds = [problems('cut', vlanBond), problems('agent_killed', ifupdown), problems('host_reboots', networkd)];
    expect((await Promise.all(rounds)).flat()).toEqual([]);
  });

  it('gets a host back when the server dies inside the window', async () => {
    expect(await problems('server_dies', networkd)).toEqual([]);
  });

  it('gets a host back when the answer to its confirm is lost', async () => {
    expect(await problems('answer_lost', ifupdown)).toEqual([]);
  });
}
