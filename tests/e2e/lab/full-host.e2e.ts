import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabFleet, lsmod } from '../support/lab-fleet.ts';
import { eventually } from '../support/wait.ts';

/** A Debian as people run it: systemd, udev, networkd, ext4 root on a virtio disk, the agent as a service. */
let lab: LabFleet;
const HOSTS = ['full-61', 'full-612'] as const;

beforeAll(async () => {
  lab = await LabFleet.start([
    { name: 'full-61', kind: 'full', series: '6.1' },
    { name: 'full-612', kind: 'full', series: '6.12' },
  ]);
}, 900_000);

afterAll(async () => {
  await lab?.stop();
}, 60_000);

it.each(HOSTS)('%s: the agent runs as a service and its answer equals lsmod', async (name) => {
  expect(await lab.host(name).must('systemctl is-active modfleet-agent')).toBe('active');
  await lab.fresh(name);
  await eventually('the fleet agrees with lsmod', async () => {
    const [seen, real] = [await lab.loadedKmods(name), await lsmod(lab.host(name))];
    return JSON.stringify(seen) === JSON.stringify(real) || undefined;
  });
});

it.each(HOSTS)('%s: never takes its own disk, file system or network away', async (name) => {
  const host = lab.host(name);
  for (const kmod of ['virtio_blk', 'virtio_pci', 'virtio_net', 'ext4']) {
    const { action } = await lab.act('unload', kmod, name);
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

it.each(HOSTS)('%s: loads, unloads, and finds the drivers of its devices', async (name) => {
  expect((await lab.act('load', 'mf_hello', name, '--param', 'times=3')).action.outcome).toBe('succeeded');
  expect((await lab.act('unload', 'mf_hello', name)).action.outcome).toBe('succeeded');
  const drivers = await lab.fleet.modfleet('drivers', 'hosts', 'virtio_net');
  expect(drivers.code, drivers.stderr).toBe(0);
  expect(drivers.stdout).toContain(name);
});

it('full-61: refuses to unload a network driver whose interface is up: that needs a confirm window', async () => {
  const host = lab.host('full-61');
  await host.must(
    'modprobe dummy && ip link add d0 type dummy && ip link set d0 up && ip addr add 192.0.2.1/32 dev d0',
  );
  const { action } = await lab.act('unload', 'dummy', 'full-61');
  expect(action.outcome).toBe('refused');
  expect(action.verdict?.findings.map((finding) => finding.code)).toContain('needs_confirm_window');
  expect(await host.must('ip -o link show d0 | wc -l')).toBe('1');
});

it('full-61: says a kmod is blocked, with file and line, and that a reboot brings the host back', async () => {
  const host = lab.host('full-61');
  await host.writeFile('/etc/modprobe.d/00-mf.conf', 'softdep mf_hello pre:\ninstall mf_hello /bin/false\n');
  const blocked = await lab.act('load', 'mf_hello', 'full-61');
  expect(blocked.action.outcome).toBe('refused');
  expect(['blocked', 'custom_command']).toContain(blocked.action.verdict?.decidedBy);
  expect(JSON.stringify(blocked.action.verdict?.findings)).toContain('/etc/modprobe.d/00-mf.conf');
  await host.reboot();
  await lab.connected('full-61');
  await lab.fresh('full-61');
});
