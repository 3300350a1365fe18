import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabHost } from '../host/lab-host.ts';
import { putFile } from '../host/put-file.ts';
import { buildTool } from '../image/build-tool.ts';
import { labPaths } from '../lab-paths.ts';

/** Hundreds of kmods, each checked against its signature by an emulated CPU. */
const LOAD_MS = 900_000;

/** Puts a program on the host that holds sockets of any family (lab/tools/hold.c). */
export async function installHold(host: LabHost): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'modfleet-hold-'));
  try {
    const program = join(folder, 'hold');
    await buildTool(join(labPaths.tools, 'hold.c'), program);
    await putFile(host, '/run/hold', await readFile(program), '755');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Loads every kmod of the list that this kernel has; gives how many are loaded then. */
export async function loadAll(host: LabHost, kmods: readonly string[]): Promise<number> {
  const script = `for x in ${kmods.join(' ')}; do modprobe -q "$x" </dev/null >/dev/null 2>&1; done; wc -l </proc/modules`;
  return Number(await host.must(script, { timeoutMs: LOAD_MS }));
}

/**
 * Uses of kmods that a host may have, each as far as the host has the programs for it: mounts, interfaces, sockets, disks, open device files, rules.
 * Nothing of it is the host's own.
 */
const USES = `
cd /run
mkdir -p u/low u/up u/work u/merged u/binfmt u/config
mount -t overlay -o lowerdir=u/low,upperdir=u/up,workdir=u/work overlay u/merged
mount -t binfmt_misc binfmt_misc u/binfmt
mount -t configfs configfs u/config
dd if=/dev/zero of=u/disk bs=1M count=8 2>/dev/null
losetup /dev/loop0 u/disk || losetup -f u/disk
echo 8M >/sys/block/zram0/disksize
ip link add mfdummy type dummy && ip link set mfdummy up
ip link add mfbr type bridge && ip link set mfbr up && ip link set mfdummy master mfbr
ip link add mfveth type veth peer name mfveth2 && ip link set mfveth up
ip link add link mfveth name mfveth.9 type vlan id 9
ip link add mfvx type vxlan id 7 dev mfdummy dstport 4789
tc qdisc add dev mfveth root handle 1: htb && tc qdisc add dev mfveth ingress
echo htcp >/proc/sys/net/ipv4/tcp_congestion_control
/run/hold 30 1 0 >/dev/null 2>&1 &
/run/hold 21 5 0 >/dev/null 2>&1 &
/run/hold 16 3 12 >/dev/null 2>&1 &
/run/hold 38 5 0 hash sha256 >/dev/null 2>&1 &
/run/hold 38 5 0 skcipher 'cbc(aes)' >/dev/null 2>&1 &
/run/hold 15 3 2 >/dev/null 2>&1 &
for node in /dev/net/tun /dev/mf_chardev /dev/kvm /dev/vhost-net /dev/fuse /dev/cuse /dev/cpu/0/msr; do
	[ -c $node ] && (exec 3<$node; exec sleep 100000) >/dev/null 2>&1 &
done
sleep 1
`;

/** Makes the host use some of what is loaded. */
export async function makeUses(host: LabHost): Promise<void> {
  await installHold(host);
  await host.writeFile('/run/oracle-uses.sh', USES);
  await host.run('sh /run/oracle-uses.sh </dev/null >/run/oracle-uses.log 2>&1', { timeoutMs: 120_000 });
}
