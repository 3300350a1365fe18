import { beforeAll, expect, it } from 'vitest';
import { type LabFleet, lsmod } from './lab-fleet.ts';
import { eventually } from './wait.ts';

/** A Debian as people run it: systemd, udev, ext4 root on a virtio disk, the agent as a service. */
export function fullHostSuite(fleet: () => LabFleet, name: string): void {
  let lab: LabFleet;

  beforeAll(() => {
    lab = fleet();
  });

  it('the agent runs as a service and its answer equals lsmod', async () => {
    expect(await lab.host(name).must('systemctl is-active modfleet-agent')).toBe('active');
    await lab.fresh(name);
    await eventually('the fleet agrees with lsmod', async () => {
      const [seen, real] = [await lab.loadedKmods(name), await lsmod(lab.host(name))];
      return JSON.stringify(seen) === JSON.stringify(real) || undefined;
    });
  });

  it('never takes its own disk, file system or network away', async () => {
    const host = lab.host(name);
    const kmods = ['virtio_blk', 'virtio_pci', 'virtio_net', 'ext4'];
    const asked = kmods.map((kmod) => ({ verb: 'unload' as const, kmod }));
    for (const [index, action] of (await lab.actInTurn(name, asked)).entries()) {
      const kmod = kmods[index] ?? '';
      expect(action.outcome, kmod).toBe('refused');
      const codes = action.verdict?.findings.filter((finding) => finding.refuses).map((finding) => finding.code) ?? [];
      // What this kernel has built in cannot be unloaded at all; what is loadable and loaded must be called protected.
      const loaded = (await lsmod(host)).includes(kmod);
      expect(codes, kmod).toContain(loaded ? 'protected' : 'builtin');
      if (loaded) {
        const evidence = action.verdict?.findings.find((finding) => finding.code === 'protected')?.evidence ?? [];
        expect(evidence.length, kmod).toBeGreaterThan(0);
      }
    }
    expect(await host.must('touch /root/still-here && echo yes')).toBe('yes');
  });

  it('loads, unloads, and finds the drivers of its devices', async () => {
    const done = await lab.actInTurn(name, [
      { verb: 'load', kmod: 'mf_hello', parameters: { times: '3' } },
      { verb: 'unload', kmod: 'mf_hello' },
    ]);
    expect(done.map((one) => one.outcome)).toEqual(['succeeded', 'succeeded']);
    const drivers = await lab.fleet.modfleet('drivers', 'hosts', 'virtio_net');
    expect(drivers.code, drivers.stderr).toBe(0);
    expect(drivers.stdout).toContain(name);
  });

  it('refuses to unload a network driver whose interface is up: that needs a confirm window', async () => {
    const host = lab.host(name);
    await host.must(
      'modprobe dummy && ip link add d0 type dummy && ip link set d0 up && ip addr add 192.0.2.1/32 dev d0',
    );
    const { action } = await lab.act('unload', 'dummy', name);
    expect(action.outcome).toBe('refused');
    expect(action.verdict?.findings.map((finding) => finding.code)).toContain('needs_confirm_window');
    expect(await host.must('ip -o link show d0 | wc -l')).toBe('1');
    await host.must('ip link del d0 && rmmod dummy');
  });

  it('says a kmod is blocked, with file and line', async () => {
    const host = lab.host(name);
    await host.writeFile('/etc/modprobe.d/00-mf.conf', 'softdep mf_hello pre:\ninstall mf_hello /bin/false\n');
    const blocked = await lab.act('load', 'mf_hello', name);
    expect(blocked.action.outcome).toBe('refused');
    expect(['blocked', 'custom_command']).toContain(blocked.action.verdict?.decidedBy);
    expect(JSON.stringify(blocked.action.verdict?.findings)).toContain('/etc/modprobe.d/00-mf.conf');
    await host.must('rm /etc/modprobe.d/00-mf.conf');
  });
}
