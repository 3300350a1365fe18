import { expect, it } from 'vitest';
import {
  armed,
  COMMON_CASES,
  type ConfirmCase,
  type ConfirmRound,
  confirmRound,
  KMOD,
  LONE_CASES,
} from './confirm-rounds.ts';
import type { LabFleet } from './lab-fleet.ts';
import type { ProxiedFleet } from './proxied-fleet.ts';

const WINDOW_S = 30;
/** Where the host has to ask before its deadline, and a reload comes first. It ends with the answer. */
const ASKING_WINDOW_S = 120;
/** The same on every host at once, and no answer comes: it lasts to its end. */
const LOST_WINDOW_S = 60;
/** Emulated hosts, several on two cores that other tests use too: this ends what hangs. The proof asks for 30 s. */
const CONFIRM_TIMES = { windowSeconds: WINDOW_S, backWithinMs: 300_000 };

/** The confirm comes in time. */
export function keptSuite(fleet: () => ProxiedFleet, name: string): void {
  it('keeps a reload whose confirm comes in time, over a connection of its own', async () => {
    const { lab } = fleet();
    const ports = (await lab.host(name).read('/proc/net/tcp'))
      .split('\n')
      .map((line) => line.trim().split(/\s+/)[1]?.split(':')[1]);
    const window = ['--confirm-window', String(ASKING_WINDOW_S), '--override', 'route'];
    const { action } = await lab.act('reload', KMOD, name, ...window);
    const { confirm } = action.result as unknown as {
      confirm: { end: string; localAddress: string; missing: string[] };
    };
    expect([action.outcome, confirm.end, confirm.missing]).toEqual(['succeeded', 'kept', []]);
    const port = Number(confirm.localAddress.split(':').at(-1));
    expect(ports).not.toContain(port.toString(16).toUpperCase().padStart(4, '0'));
  });
}

/** Never lose the host: every case, on these hosts, which are all of the fleet. `npm run proof -- confirm` does fifty rounds, each case on each host. */
export function lostSuite(fleet: () => ProxiedFleet, hosts: readonly string[]): void {
  const wrongOf = async (kind: ConfirmCase, names: readonly string[]): Promise<ConfirmRound[]> => {
    const windowSeconds = kind === 'answer_lost' ? LOST_WINDOW_S : WINDOW_S;
    const world = { ...fleet(), ...CONFIRM_TIMES, windowSeconds };
    return (await confirmRound(world, kind, names)).filter((round) => round.late || round.problems.length > 0);
  };

  // A case each, beside each other: they wait most of the time. Every case on every host is the proof's, which takes ten minutes more.
  const lone = hosts.map((name, index) => ({ name, kind: LONE_CASES[index % LONE_CASES.length] ?? 'cut' }));
  it.concurrent.each(lone)('gets $name back: $kind', async ({ name, kind }) => {
    expect(await wrongOf(kind, [name])).toEqual([]);
  });

  it.each(COMMON_CASES)('gets every host back: %s', async (kind) => {
    expect(await wrongOf(kind, hosts)).toEqual([]);
  });
}

/**
 * Without systemd, a watchdog of the agent's ends a confirm window, and nothing else brings a network back. For a host with
 * `reboot_to_recover: true` in its settings.
 */
export function watchdogSuite(lab: () => LabFleet, name: string): void {
  it.each<ConfirmCase>(['cut', 'agent_killed'])(
    'is put back by the watchdog at the end of a confirm window: %s',
    async (kind) => {
      const [round] = await confirmRound({ lab: lab(), ...CONFIRM_TIMES }, kind, [name]);
      expect(round).toMatchObject({ late: false, problems: [] });
    },
  );

  it('reboots when no server is reached for a second window either, where its settings allow that', () =>
    recoversByReboot(lab(), name));
}

async function recoversByReboot(lab: LabFleet, name: string): Promise<void> {
  const host = lab.host(name);
  const { bootId } = host;
  const id = await lab.post(name, 'unload', KMOD, { confirmWindow: WINDOW_S, overrides: ['route'] });
  await armed(lab, id);
  const again = host.rebooted();
  // No kmod's doing, so no revert mends it. A server that refuses would be reached: no reboot would help against that.
  await host.must('ip route add blackhole 10.0.2.2');
  await again;
  expect(host.bootId).not.toBe(bootId);
  const { outcome, result } = await lab.ended(id);
  const { confirm } = result as unknown as {
    confirm: { cause: string; rebootedToRecover: boolean; missing: string[] };
  };
  expect([outcome, confirm]).toEqual([
    'reverted',
    expect.objectContaining({ cause: 'no_server', rebootedToRecover: true, missing: [] }),
  ]);
  await lab.connected(name);
}
