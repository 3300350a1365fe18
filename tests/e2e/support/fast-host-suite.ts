import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelSeries } from '../../../lab/src/lab.ts';
import { type ActionSeen, AVAILABLE_LIMIT_MS, LabFleet, lsmod } from './lab-fleet.ts';
import { eventually } from './wait.ts';

/** Makes the host's kmods a build of its own, of a hundred files: those that the tests use, and what these need. */
const OWN_BUILD = [
  'cd /lib/modules/$(uname -r)',
  "find kernel -name '*.ko*' | grep -vE '/(drivers/(net|nvme|virtio)|net/core|fs/ext4|crypto)/' | xargs rm",
  'depmod',
].join(' && ');

interface FastHostOptions {
  readonly collects?: boolean;
  readonly config?: readonly string[];
  readonly more?: (lab: () => LabFleet, name: string) => void;
}

/**
 * What must hold on a real kernel of any series. The tests build on each other's host, not on each other's kmods.
 *
 * @param config Lines of its agent.yaml.
 * @param more Tests of this host alone, before those that leave its kernel worse.
 * @param collects Its kmods are no other host's, so it opens every file of them by itself, as the first host of a build does.
 */
export function fastHostSuite(
  series: KernelSeries,
  { collects = false, config = [], more = () => undefined }: FastHostOptions = {},
): void {
  const name = `fast-${series.replace('.', '')}`;
  let lab: LabFleet;

  beforeAll(async () => {
    lab = await LabFleet.start([
      {
        name,
        kind: 'fast',
        series,
        ...(collects ? { before: OWN_BUILD } : {}),
        config,
      },
    ]);
  });

  afterAll(async () => {
    await lab?.stop();
  });

  it('answers with what lsmod says on the host', async () => {
    await lab.fresh(name);
    await eventually('the fleet agrees with lsmod', async () => {
      const [seen, real] = [await lab.loadedKmods(name), await lsmod(lab.host(name))];
      return JSON.stringify(seen) === JSON.stringify(real) || undefined;
    });
  });

  it('shows a kmod that a person loads by hand, with no action to its name, and that it went', async () => {
    const host = lab.host(name);
    await host.must('modprobe dummy');
    await eventually(
      'dummy is in the answer',
      async () => (await lab.loadedKmods(name)).includes('dummy') || undefined,
      20_000,
    );
    await host.must('rmmod dummy');
    await eventually(
      'dummy is gone from the answer',
      async () => !(await lab.loadedKmods(name)).includes('dummy') || undefined,
      20_000,
    );
    const events = await eventually('both events are told', async () => {
      const ours = await lab.eventsOf(name, 'dummy');
      return ours.length >= 2 ? ours : undefined;
    });
    expect(events.map((event) => event.kind).sort()).toEqual(['loaded', 'unloaded']);
    expect(events.every((event) => event.actionId === null)).toBe(true);
  });

  it('says so in one page: modfleet kmods hosts, stored and live', async () => {
    await lab.host(name).must('modprobe dummy');
    await eventually(
      'dummy is in the answer',
      async () => (await lab.loadedKmods(name)).includes('dummy') || undefined,
    );
    const stored = await lab.fleet.modfleet('kmods', 'hosts', 'dummy');
    expect(stored.code, stored.stderr).toBe(0);
    expect(stored.stdout).toContain(name);
    const live = await lab.fleet.modfleet('kmods', 'hosts', 'dummy', '--live', '--timeout', '20s');
    expect(live.code, live.stderr).toBe(0);
    expect(live.stdout).toContain(name);
    await lab.host(name).must('rmmod dummy');
  });

  it('loads with parameters, visible in sysfs and in the answer', async () => {
    const { end, action } = await lab.act('load', 'mf-hello', name, '--param', 'times=7', '--param', 'whom=fleet');
    expect(action.outcome, end.stderr).toBe('succeeded');
    expect(end.code).toBe(0);
    expect(
      await lab.host(name).must('cat /sys/module/mf_hello/parameters/times /sys/module/mf_hello/parameters/whom'),
    ).toBe('7\nfleet');
    await eventually('the parameters are in the answer', async () => {
      const page = (await lab.fleet.api('GET', `/api/v1/hosts/${name}/kmods?name=mf_hello`)).body as {
        items: { parameters: Record<string, string | null> }[];
      };
      return page.items[0]?.parameters['times'] === '7' || undefined;
    });
  });

  it('says unchanged when it is already so, and refuses other parameters', async () => {
    const [same, other] = await lab.actInTurn(name, [
      { verb: 'load', kmod: 'mf_hello' },
      { verb: 'load', kmod: 'mf_hello', parameters: { times: '8' } },
    ]);
    expect(same?.outcome).toBe('unchanged');
    expect(other?.outcome).toBe('refused');
    expect(other?.verdict?.decidedBy).toBe('parameters_differ');
    expect(await lab.host(name).must('cat /sys/module/mf_hello/parameters/times')).toBe('7');
  });

  it('reloads', async () => {
    const before = await lab.host(name).must('dmesg | grep -c mf_hello || true');
    const { action, end } = await lab.act('reload', 'mf_hello', name);
    expect(action.outcome, end.stderr).toBe('succeeded');
    expect(await lab.host(name).must('grep -c ^mf_hello /proc/modules')).toBe('1');
    expect(Number(await lab.host(name).must('dmesg | grep -c mf_hello || true'))).toBeGreaterThan(Number(before));
  });

  it('touches nothing in a dry run', async () => {
    const { action } = await lab.act('unload', 'mf_hello', name, '--dry-run');
    expect(action.verdict?.allowed).toBe(true);
    expect(action.verdict?.plan.map((step) => `${step.kind} ${step.kmod}`)).toEqual(['rmmod mf_hello']);
    expect(await lsmod(lab.host(name))).toContain('mf_hello');
  });

  it('unloads, and the event carries the action', async () => {
    const [action, again] = await lab.actInTurn(name, [
      { verb: 'unload', kmod: 'mf_hello', reason: 'end of the test' },
      { verb: 'unload', kmod: 'mf_hello' },
    ]);
    expect(action?.outcome, action?.message ?? '').toBe('succeeded');
    expect(again?.outcome).toBe('unchanged');
    expect(await lsmod(lab.host(name))).not.toContain('mf_hello');
    await eventually('the event names the action', async () => {
      const events = await lab.eventsOf(name, 'mf_hello');
      return events.some((event) => event.kind === 'unloaded' && event.actionId === action?.id) || undefined;
    });
  });

  it('brings dependencies along on load, and refuses to pull one away', async () => {
    const loaded = await lab.act('load', 'mf_dependent', name);
    expect(loaded.action.outcome, loaded.end.stderr).toBe('succeeded');
    expect(await lsmod(lab.host(name))).toEqual(expect.arrayContaining(['mf_base', 'mf_dependent']));
    const [held, dependent, base] = await lab.actInTurn(name, [
      { verb: 'unload', kmod: 'mf_base' },
      { verb: 'unload', kmod: 'mf_dependent' },
      { verb: 'unload', kmod: 'mf_base' },
    ]);
    expect(held?.outcome).toBe('refused');
    expect(held?.verdict?.decidedBy).toBe('held_by');
    expect(JSON.stringify(held?.verdict?.findings)).toContain('mf_dependent');
    expect([dependent?.outcome, base?.outcome]).toEqual(['succeeded', 'succeeded']);
  });

  it('refuses what a process holds open, with the process as evidence', async () => {
    const host = lab.host(name);
    const [loaded] = await lab.actInTurn(name, [{ verb: 'load', kmod: 'mf_chardev' }]);
    expect(loaded?.outcome).toBe('succeeded');
    const pid = await host.must('sleep 600 </dev/mf_chardev >/dev/null 2>&1 & echo $!');
    const refused = await lab.act('unload', 'mf_chardev', name);
    expect(refused.action.outcome).toBe('refused');
    expect(refused.end.code).toBe(1);
    expect(refused.action.verdict?.decidedBy).toBe('in_use');
    expect(JSON.stringify(refused.action.verdict?.findings)).toContain(pid);
    await host.must(
      `kill ${pid}; while [ -d /proc/${pid} ] && ! grep -q '^State:.Z' /proc/${pid}/status; do sleep 0.1; done`,
    );
    expect((await lab.act('unload', 'mf_chardev', name)).action.outcome).toBe('succeeded');
  });

  describe('what cannot be done', () => {
    const cases = [
      ['unload', 'mf_permanent', 'permanent'],
      ['unload', 'nvme', 'builtin'],
      ['unload', 'ext4', 'protected'],
      ['unload', 'no_such_kmod', 'not_found'],
      ['load', 'no_such_kmod', 'not_found'],
      // It carries the connection over which it is asked.
      ['unload', 'virtio_net', 'protected'],
    ] as const;
    let before: string[];
    let answers: ActionSeen[];

    beforeAll(async () => {
      await lab.host(name).must('modprobe mf_permanent');
      before = await lsmod(lab.host(name));
      answers = await lab.actInTurn(
        name,
        cases.map(([verb, kmod]) => ({ verb, kmod })),
      );
    });

    it.each(cases)('refuses to %s %s: %s', (verb, kmod, code) => {
      const action = answers[cases.findIndex((one) => one[0] === verb && one[1] === kmod)];
      expect(action?.outcome).toBe('refused');
      expect(action?.verdict?.findings).toContainEqual(expect.objectContaining({ code, refuses: true }));
      if (kmod !== 'virtio_net') expect(action?.verdict?.decidedBy).toBe(code);
      expect(action?.result?.steps ?? []).toEqual([]);
    });

    it('touches nothing', async () => {
      expect(await lsmod(lab.host(name))).toEqual(before);
    });
  });

  it(
    'knows what lies on its disk, packed or not',
    async () => {
      await lab.fresh(name, 'available', AVAILABLE_LIMIT_MS);
      // One is .xz in the tree, the other .zst: what it says of itself was unpacked.
      for (const [kmod, words] of [
        ['mf_base', 'exports a symbol'],
        ['mf_dependent', 'uses a symbol of mf_base'],
      ] as const) {
        const shown = await lab.fleet.modfleet('kmods', 'show', kmod);
        expect(shown.code, shown.stderr).toBe(0);
        expect(shown.stdout).toContain(words);
      }
    },
    AVAILABLE_LIMIT_MS,
  );

  more(() => lab, name);

  it('calls an exit routine that never returns stuck, and goes on with other kmods', async () => {
    await lab.host(name).must('modprobe mf_stuck_exit');
    const { action } = await lab.act('unload', 'mf_stuck_exit', name);
    expect(action.outcome).toBe('stuck');
    const after = await lab.actInTurn(name, [
      { verb: 'load', kmod: 'mf_hello' },
      { verb: 'unload', kmod: 'mf_hello' },
    ]);
    expect(after.map((one) => one.outcome)).toEqual(['succeeded', 'succeeded']);
  });

  it('refuses everything once the kernel takes no more changes', async () => {
    await lab.host(name).must('echo 1 > /proc/sys/kernel/modules_disabled');
    const { action } = await lab.act('load', 'mf_hello', name);
    expect(action.outcome).toBe('refused');
    expect(action.verdict?.decidedBy).toBe('modules_disabled');
  });
}
