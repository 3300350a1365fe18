import { Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { NoExec } from '../../exec/node-exec.ts';
import type { MemoryHostFiles, MemoryNode } from '../../host/memory-host-files.ts';
import { ACT, aQuestion } from '../testing/builders.ts';
import { MODULES_6_1, virtioHost, virtualInterface } from '../testing/trees.ts';
import type { Question } from '../findings/facts.ts';
import { decide } from '../findings/verdict.ts';
import type { ServerRoute } from '../protection/routes.ts';
import { collectFacts } from './collect-facts.ts';

const ROUTE: ServerRoute = { remoteAddress: '10.0.2.2' };

async function verdict(
  question: Partial<Question>,
  files: MemoryHostFiles = virtioHost(),
  serverRoute: ServerRoute | undefined = ROUTE,
) {
  const asked = aQuestion(question);
  const sources = { files, exec: new NoExec(), ownPaths: ['/var/lib/modfleet'], serverRoute: () => serverRoute };
  const { facts } = await collectFacts(sources, asked, undefined);
  return decide(asked, facts, ACT, []);
}

async function unloading(kmod: string, changes: Readonly<Record<string, MemoryNode>> = {}, route?: ServerRoute) {
  return verdict({ kmod }, virtioHost(changes), route ?? ROUTE);
}

describe('what a virtio host stands on', () => {
  it.each([
    ['ext4', 'carries / (ext4 on /dev/vda)'],
    ['virtio_blk', 'carries / (ext4 on /dev/vda)'],
    ['virtio_pci', 'carries / (ext4 on /dev/vda)'],
    ['virtio_ring', 'carries / (ext4 on /dev/vda)'],
    ['virtio_net', 'connection to its server (eth0)'],
    ['net_failover', 'connection to its server (eth0)'],
    ['failover', 'connection to its server (eth0)'],
  ])('protects %s', async (kmod, why) => {
    const { allowed, decidedBy, findings } = await unloading(kmod);
    expect([allowed, decidedBy]).toEqual([false, 'protected']);
    expect(findings.map((finding) => finding.message).join()).toContain(why);
    expect(findings[0]?.evidence.length).toBeGreaterThan(0);
  });

  it('lets go what nothing stands on', async () => {
    expect((await unloading('dummy')).decidedBy).toBe('ok');
    expect((await unloading('loop')).decidedBy).toBe('ok');
  });

  it('takes the default route where there is no session', async () => {
    expect((await verdict({ kmod: 'virtio_net' }, virtioHost(), undefined)).decidedBy).toBe('protected');
  });

  it('asks for a confirm window where another interface would be lost', async () => {
    const local = await unloading('virtio_net', {}, { remoteAddress: '127.0.0.1' });
    expect(local.decidedBy).toBe('needs_confirm_window');
    expect(local.findings[0]?.evidence).toContainEqual({ kind: 'interface', value: 'eth0' });
  });

  it('walks through device-mapper and partitions', async () => {
    const dm = '/sys/devices/virtual/block/dm-0';
    const vda = '/sys/devices/pci0000:00/0000:00:02.0/virtio0/block/vda';
    const files = virtioHost({
      '/proc/1/mountinfo': '22 1 253:0 / / rw - ext4 /dev/mapper/root rw\n',
      '/sys/dev/block/253:0': { link: dm },
      [`${dm}/dm/uuid`]: 'CRYPT-LUKS2-abc\n',
      [`${dm}/slaves/vda1`]: { link: `${vda}/vda1` },
      [`${vda}/vda1/partition`]: '1\n',
      '/proc/modules': `dm_crypt 61440 1 - Live 0x0\ndm_mod 184320 3 dm_crypt, Live 0x0\n${MODULES_6_1}`,
    });
    for (const kmod of ['dm_mod', 'dm_crypt', 'virtio_blk', 'virtio_pci']) {
      expect([kmod, (await verdict({ kmod }, files)).decidedBy]).toEqual([kmod, 'protected']);
    }
  });

  it('counts swap, on a device and on a file', async () => {
    const onDisk = {
      '/proc/swaps': 'Filename Type Size Used Priority\n/dev/zram0 partition 1 0 -2\n',
      '/sys/class/block/zram0': { link: '/sys/devices/virtual/block/zram0' },
      '/sys/devices/virtual/block/zram0/size': '1',
    };
    const zram = { '/proc/modules': `zram 40960 1 - Live 0x0\n${MODULES_6_1}` };
    expect((await unloading('zram', { ...onDisk, ...zram })).decidedBy).toBe('protected');
  });

  it('protects a disk that is in use under a bus without references, mounted or not', async () => {
    const other = '/sys/devices/pci0000:00/0000:00:05.0/ata1/host0/block/sda';
    const changes = {
      '/proc/modules': `ahci 49152 0 - Live 0x0\nsd_mod 65536 2 - Live 0x0\n${MODULES_6_1}`,
      '/sys/block/sda': { link: other },
      [`${other}/size`]: '1',
      '/sys/devices/pci0000:00/0000:00:05.0/ata1/host0/driver': { link: '/sys/bus/scsi/drivers/sd' },
      '/sys/bus/scsi/drivers/sd/module': { link: '/sys/module/sd_mod' },
      '/sys/devices/pci0000:00/0000:00:05.0/driver': { link: '/sys/bus/pci/drivers/ahci' },
      '/sys/bus/pci/drivers/ahci/module': { link: '/sys/module/ahci' },
    };
    const inUse = await unloading('ahci', changes);
    expect(inUse.decidedBy).toBe('protected');
    expect(inUse.findings[0]?.message).toContain('disk sda');
    const idle = { ...changes, '/proc/modules': `ahci 49152 0 - Live 0x0\nsd_mod 65536 0 - Live 0x0\n${MODULES_6_1}` };
    expect((await unloading('ahci', idle)).decidedBy).toBe('ok');
  });

  it('protects an armed watchdog, not an idle one', async () => {
    const softdog = {
      '/proc/modules': `softdog 16384 1 - Live 0x0\n${MODULES_6_1}`,
      '/sys/class/watchdog/watchdog0/identity': 'Software Watchdog\n',
    };
    expect(
      (await unloading('softdog', { ...softdog, '/sys/class/watchdog/watchdog0/state': 'active\n' })).decidedBy,
    ).toBe('protected');
    expect(
      (await unloading('softdog', { ...softdog, '/sys/class/watchdog/watchdog0/state': 'inactive\n' })).decidedBy,
    ).toBe('in_use');
  });
});

describe('what a reference count of 0 hides', () => {
  it('a virtual interface that is up, by its kind', async () => {
    const bond = { '/proc/modules': `bonding 221184 0 - Live 0x0\n${MODULES_6_1}` };
    const up = await unloading('bonding', { ...bond, ...virtualInterface('bond0', true, { 'bonding/slaves': '\n' }) });
    expect(up.decidedBy).toBe('needs_confirm_window');
    const down = await unloading('bonding', {
      ...bond,
      ...virtualInterface('bond0', false, { 'bonding/slaves': '\n' }),
    });
    expect(down.decidedBy).toBe('ok');
    const member = await unloading('bonding', {
      ...bond,
      ...virtualInterface('bond0', false, { 'bonding/slaves': '\n', upper_br0: { link: '../br0' } }),
    });
    expect(member.decidedBy).toBe('needs_confirm_window');
    expect(member.findings[0]?.evidence).toContainEqual({ kind: 'interface', value: 'br0 stands on bond0' });
  });

  it('a virtual interface whose kind cannot be seen', async () => {
    const { decidedBy, findings } = await unloading('dummy', virtualInterface('dummy0', true));
    expect(decidedBy).toBe('needs_confirm_window');
    expect(findings[0]?.message).toContain('not visible without iproute2');
    expect((await unloading('dummy', virtualInterface('dummy0', false))).decidedBy).toBe('ok');
    expect((await unloading('loop', virtualInterface('dummy0', true))).decidedBy).toBe('ok');
  });

  it('interfaces in other network namespaces', async () => {
    const container = {
      '/proc/77/ns/net': { link: 'net:[4026532000]' },
      '/proc/77/net/dev': 'Inter-|   Receive\n face |bytes\n    lo: 0\n  eth9: 0\n',
    };
    expect((await unloading('dummy', container)).decidedBy).toBe('needs_confirm_window');
    const empty = { ...container, '/proc/77/net/dev': 'Inter-|\n face |\n    lo: 0\n tunl0: 0\n' };
    expect((await unloading('dummy', empty)).decidedBy).toBe('ok');
  });

  it('a VLAN over the interface that carries the connection', async () => {
    const vlan = {
      ...virtualInterface('eth0.9', true, {
        uevent: 'DEVTYPE=vlan\nINTERFACE=eth0.9\n',
        lower_eth0: { link: '/sys/class/net/eth0' },
      }),
      '/proc/modules': `8021q 40960 0 - Live 0x0\n${MODULES_6_1}`,
      '/proc/net/route': `Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0.9\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\n`,
    };
    expect((await unloading('8021q', vlan)).decidedBy).toBe('protected');
    expect((await unloading('virtio_net', vlan)).decidedBy).toBe('protected');
  });

  it('zram with data, nftables that may hold tables, devices that are open', async () => {
    const zram = {
      '/proc/modules': `zram 40960 0 - Live 0x0\n${MODULES_6_1}`,
      '/sys/block/zram0/disksize': '1048576\n',
    };
    expect((await unloading('zram', zram)).decidedBy).toBe('protected');
    expect((await unloading('zram', { ...zram, '/sys/block/zram0/disksize': '0\n' })).decidedBy).toBe('ok');
    expect(
      (await unloading('nf_tables', { '/proc/modules': `nf_tables 303104 0 - Live 0x0\n${MODULES_6_1}` })).decidedBy,
    ).toBe('needs_confirm_window');
    const open = {
      '/proc/modules': `forgetful 16384 0 - Live 0x0\n${MODULES_6_1}`,
      '/proc/42/fd/3': { link: '/dev/forgetful0' },
      '/proc/42/comm': 'reader\n',
    };
    const held = await unloading('forgetful', open);
    expect(held.decidedBy).toBe('protected');
    expect(held.findings[0]?.evidence).toContainEqual({ kind: 'process', value: '42 reader' });
  });

  it('a mount on a disk below it', async () => {
    const vdb = '/sys/devices/pci0000:00/0000:00:06.0/nvme/nvme0/nvme0n1';
    const changes = {
      '/proc/modules': `nvme 49152 0 - Live 0x0\n${MODULES_6_1}`,
      '/sys/dev/block/254:16': { link: vdb },
      [`${vdb}/size`]: '1',
      '/sys/devices/pci0000:00/0000:00:06.0/driver': { link: '/sys/bus/pci/drivers/nvme' },
      '/sys/bus/pci/drivers/nvme/module': { link: '/sys/module/nvme' },
    };
    const { decidedBy, findings } = await unloading('nvme', changes);
    expect(decidedBy).toBe('protected');
    expect(findings[0]?.message).toContain('/data');
  });
});

describe('a host whose ground is not to be seen', () => {
  const hidden = (...paths: readonly string[]): MemoryHostFiles => {
    const files = virtioHost();
    for (const path of paths) for (const key of files.nodes.keys()) if (key.startsWith(path)) files.nodes.delete(key);
    return files;
  };

  it.each([
    ['mounts', hidden('/proc/1/mountinfo')],
    ['the disk of a mount', hidden('/sys/dev/block/254:0')],
    ['network interfaces', hidden('/sys/class/net')],
  ])('lets nothing go: %s', async (_, files) => {
    const { decidedBy, findings } = await verdict({ kmod: 'dummy' }, files);
    expect(decidedBy).toBe('protected');
    expect(findings[0]?.message).toContain('cannot be told');
  });
});

describe('who uses a kmod', () => {
  it('names loop files, mounts and open devices', async () => {
    const { decidedBy, findings } = await unloading('loop', {
      '/proc/modules': MODULES_6_1.replace('loop 40960 0', 'loop 40960 2'),
      '/sys/block/loop0/loop/backing_file': '/tmp/disk.img\n',
      '/proc/9/fd/3': { link: '/dev/loop0' },
      '/proc/9/comm': 'losetup\n',
    });
    expect(decidedBy).toBe('in_use');
    expect(findings[0]?.evidence).toEqual(
      expect.arrayContaining([
        { kind: 'block', value: '/dev/loop0: /tmp/disk.img' },
        { kind: 'process', value: '9 (losetup) has /dev/loop0 open' },
      ]),
    );
  });

  it('says what it cannot see', async () => {
    const { findings } = await unloading('loop', {
      '/proc/modules': MODULES_6_1.replace('loop 40960 0', 'loop 40960 2'),
      '/proc/9/fd': { errno: 'EACCES' },
    });
    const unseen = findings[0]?.evidence
      .filter((one) => one.kind === 'unseen')
      .map((one) => one.value)
      .join();
    expect(unseen).toContain('not visible without root');
    expect(unseen).toContain('not visible without nft, tc, ip');
  });
});

describe('a host that cannot answer', () => {
  const load: Partial<Question> = { verb: Verb.VERB_LOAD, kmod: 'tun' };
  const without = (path: string): MemoryHostFiles => {
    const files = virtioHost();
    for (const key of files.nodes.keys()) if (key.startsWith(path)) files.nodes.delete(key);
    return files;
  };

  it.each<[string, Partial<Question>, MemoryHostFiles]>([
    ['no_module_support', {}, without('/proc/modules')],
    ['no_module_support', {}, virtioHost({ '/proc/modules': { errno: 'EACCES' } })],
    ['release_files_missing', load, without('/lib/modules')],
    ['release_files_missing', { kmod: 'tun' }, without('/lib/modules')],
    ['release_files_missing', load, without('/lib/modules/6.1.0-56-cloud-amd64/kernel/drivers/net/tun.ko')],
    ['unsupported', load, virtioHost({ '/.dockerenv': '' })],
    ['unsupported', load, virtioHost({ '/proc/self/status': 'CapEff:\t0000000000000000\n' })],
    ['modules_disabled', load, virtioHost({ '/proc/sys/kernel/modules_disabled': '1\n' })],
    ['kernel_died', load, virtioHost({ '/proc/sys/kernel/tainted': '4224\n' })],
  ])('%s', async (code, question, files) => {
    expect((await verdict(question, files)).decidedBy).toBe(code);
  });
});

describe('what a load would do', () => {
  it('loads dependencies first, and names soft ones', async () => {
    const dependent = await verdict({ verb: Verb.VERB_LOAD, kmod: 'dependent' });
    expect(dependent.plan.map((step) => step.kmod)).toEqual(['base', 'dependent']);
    const tun = await verdict({ verb: Verb.VERB_LOAD, kmod: 'tun' });
    expect(tun.plan.map((step) => step.because).join()).toContain('base');
  });

  it.each([
    ['blocked', 'install tun /bin/false\n'],
    ['custom_command', 'install tun /sbin/modprobe -i tun\n'],
    ['blocked', 'install t?n /bin/true\n'],
    ['blocked', 'alias tun off\n'],
    ['custom_command', 'alias tun base\n'],
    ['custom_command', 'alias t* loop\n'],
    ['ok', 'alias tun tun\n'],
    ['custom_command', 'install base /usr/bin/anything\n'],
    ['custom_command', 'softdep base post: dependent\ninstall dependent /usr/bin/anything\n'],
    ['ok', 'install base /bin/false\n'],
    ['ok', 'blacklist tun\n'],
    ['ok', '# install tun /bin/false\n'],
  ])('%s with %j', async (code, text) => {
    const files = virtioHost({ '/etc/modprobe.d/x.conf': text });
    expect((await verdict({ verb: Verb.VERB_LOAD, kmod: 'tun' }, files)).decidedBy).toBe(code);
  });

  it('is stopped by a block of a dependency, and by the kernel command line', async () => {
    const blocked = virtioHost({ '/etc/modprobe.d/x.conf': 'install base /bin/false\n' });
    expect((await verdict({ verb: Verb.VERB_LOAD, kmod: 'dependent' }, blocked)).decidedBy).toBe('blocked');
    const cmdline = virtioHost({ '/proc/cmdline': 'root=/dev/vda module_blacklist=tun\n' });
    expect((await verdict({ verb: Verb.VERB_LOAD, kmod: 'tun' }, cmdline)).decidedBy).toBe('blocked');
  });

  it('is stopped by an alias line that takes a dependency elsewhere', async () => {
    const files = virtioHost({ '/etc/modprobe.d/x.conf': 'alias base dummy\n' });
    const { decidedBy, findings } = await verdict({ verb: Verb.VERB_LOAD, kmod: 'dependent' }, files);
    expect(decidedBy).toBe('custom_command');
    expect(findings[0]?.evidence).toContainEqual({
      kind: 'config',
      value: '/etc/modprobe.d/x.conf:1: alias base dummy',
    });
  });

  it.each(['dependent', 'tun'])('does not bring along what the policy denies: %s', async (kmod) => {
    const asked = aQuestion({ verb: Verb.VERB_LOAD, kmod });
    const sources = { files: virtioHost(), exec: new NoExec(), ownPaths: [], serverRoute: () => ROUTE };
    const { facts } = await collectFacts(sources, asked, undefined);
    const { decidedBy, findings } = decide(asked, facts, { ...ACT, deny: ['bas?'] }, []);
    expect(decidedBy).toBe('denied_by_host_policy');
    expect(findings[0]?.message).toContain('base');
  });

  it('does not unload past a remove command', async () => {
    const files = virtioHost({ '/etc/modprobe.d/x.conf': 'remove dummy /usr/bin/save-state\n' });
    expect((await verdict({ kmod: 'dummy' }, files)).decidedBy).toBe('custom_command');
  });
});
