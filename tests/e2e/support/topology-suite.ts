import { describe, expect, it } from 'vitest';
import type { LabFleet } from './lab-fleet.ts';

/** An NVMe disk over TCP from this very host, with a file system that is mounted: the kernel's own target (Documentation/nvme, nvmet). */
const REMOTE_DISK = `
modprobe -a nvme-tcp nvmet-tcp
mount -t configfs none /sys/kernel/config 2>/dev/null
cd /sys/kernel/config/nvmet
dd if=/dev/zero of=/remote.img bs=1M count=16 2>/dev/null
mkdir subsystems/t subsystems/t/namespaces/1 ports/1
echo 1 >subsystems/t/attr_allow_any_host
printf /remote.img >subsystems/t/namespaces/1/device_path
echo 1 >subsystems/t/namespaces/1/enable
echo tcp >ports/1/addr_trtype
echo ipv4 >ports/1/addr_adrfam
ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p' >ports/1/addr_traddr
echo 4420 >ports/1/addr_trsvcid
ln -s /sys/kernel/config/nvmet/subsystems/t ports/1/subsystems/t
echo "transport=tcp,traddr=$(cat ports/1/addr_traddr),trsvcid=4420,nqn=t" >/dev/nvme-fabrics
i=0; while [ ! -b /dev/nvme0n1 ] && [ $i -lt 50 ]; do sleep 0.2; i=$((i + 1)); done
mke2fs -b 4096 /dev/nvme0n1 >/dev/null 2>&1
mkdir -p /remote && mount /dev/nvme0n1 /remote
grep -c ' /remote ' /proc/mounts`;

const REMOTE_DISK_GONE = `
umount /remote
echo 1 >/sys/class/nvme/nvme0/delete_controller
cd /sys/kernel/config/nvmet
rm ports/1/subsystems/t
rmdir ports/1
echo 0 >subsystems/t/namespaces/1/enable
rmdir subsystems/t/namespaces/1 subsystems/t
cd / && rm /remote.img
rmmod nvmet_tcp nvmet`;

interface Verdict {
  readonly decidedBy: string;
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

/** What a real kernel shows of what a host stands on, beyond the disk and card of every lab host. */
export function topologySuite(lab: () => LabFleet, name: string): void {
  const verdictOf = async (kmod: string): Promise<Verdict> => {
    const said = await lab().host(name).run(`modfleet-agent verdict unload ${kmod} --json`, { timeoutMs: 120_000 });
    return JSON.parse(said.stdout) as Verdict;
  };

  describe('what a host stands on', () => {
    it('a mounted disk on another machine: the kmod of its transport, and the card that leads there', async () => {
      const host = lab().host(name);
      expect(await host.must(REMOTE_DISK)).toBe('1');
      const transport = await verdictOf('nvme_tcp');
      expect(transport.decidedBy, JSON.stringify(transport)).toBe('protected');
      expect(transport.findings[0]?.message).toContain('nvme_tcp carries /remote (ext');
      const card = (await verdictOf('virtio_net')).findings.map((finding) => finding.message);
      expect(card).toContainEqual(expect.stringContaining('virtio_net carries /remote (ext'));
      await host.must(REMOTE_DISK_GONE);
      expect((await verdictOf('nvme_tcp')).decidedBy).toBe('ok');
    });

    it('a card that was moved into another network namespace', async () => {
      const host = lab().host(name);
      const [address, route] = [
        await host.must("ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9./]*\\).*/\\1/p'"),
        await host.must("ip route show default | sed -n 's/default via \\([0-9.]*\\).*/\\1/p'"),
      ];
      const pid = await host.must('unshare -n sleep 600 >/dev/null 2>&1 & echo $!');
      try {
        await host.must(`sleep 1; ip link set eth0 netns ${pid}; ! ip link show eth0 2>/dev/null`);
        const { findings } = await verdictOf('virtio_net');
        expect(findings.map((finding) => `${finding.code} ${finding.message}`)).toContainEqual(
          expect.stringMatching(/^needs_confirm_window virtio_net runs the network card .*another network namespace/),
        );
      } finally {
        // With its namespace the card comes back, down and without its address.
        await host.must(
          `kill ${pid}; i=0; until ip link show eth0 >/dev/null 2>&1 || [ $i -gt 50 ]; do sleep 0.2; i=$((i + 1)); done
ip addr add ${address} dev eth0; ip link set eth0 up; ip route add default via ${route}`,
        );
      }
      await lab().fresh(name);
    });
  });
}
