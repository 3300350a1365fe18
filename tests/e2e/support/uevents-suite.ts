import { expect, it } from 'vitest';
import type { LabFleet } from './lab-fleet.ts';
import { eventually } from './wait.ts';

const CGROUP = '/sys/fs/cgroup/system.slice/modfleet-agent.service/cgroup.procs';

/** Kernel uevents over the netlink socket that systemd opens for the agent. */
export function ueventsSuite(lab: () => LabFleet, name: string): void {
  it('is told of a kmod that came and went between two looks, over the socket that systemd opened', async () => {
    const host = lab().host(name);
    const programs = (await host.must(`for p in $(cat ${CGROUP}); do cat /proc/$p/comm; done`)).split('\n');
    expect(programs).toContain('cat');
    expect(programs).not.toContain('udevadm');
    await host.must('modprobe mf_base && rmmod mf_base');
    const events = await eventually('both are told', async () => {
      const told = await lab().eventsOf(name, 'mf_base');
      return told.length >= 2 ? told : undefined;
    });
    expect(events.map(({ kind, source }) => [kind, source])).toEqual([
      ['unloaded', 'uevent'],
      ['loaded', 'uevent'],
    ]);
  });

  it('stays stopped whatever the kernel says, and afterwards tells nothing that it did not see', async () => {
    const host = lab().host(name);
    await host.agent('stop');
    await lab().disconnected(name);
    await host.must('modprobe mf_dependent && rmmod mf_dependent mf_base');
    expect((await host.run('systemctl is-active modfleet-agent modfleet-uevents.socket')).stdout).toBe(
      'inactive\ninactive\n',
    );
    await host.agent('start');
    await lab().connected(name);
    await lab().fresh(name);
    await host.must('modprobe mf_chardev && rmmod mf_chardev');
    await eventually('what comes now is told', async () => {
      const told = await lab().eventsOf(name, 'mf_chardev');
      return told.length >= 2 || undefined;
    });
    expect(await lab().eventsOf(name, 'mf_dependent')).toEqual([]);
  });

  it('loses nothing of what happens while its process is away for a moment', async () => {
    const host = lab().host(name);
    const before = await host.agentPid();
    await host.must(`kill -9 ${before} && modprobe mf_chardev`);
    await eventually(
      'the answer has it',
      async () => (await lab().loadedKmods(name)).includes('mf_chardev') || undefined,
    );
    await host.must('rmmod mf_chardev');
    await eventually(
      'the answer has it no more',
      async () => !(await lab().loadedKmods(name)).includes('mf_chardev') || undefined,
    );
  });
}
