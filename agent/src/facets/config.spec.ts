import { BlockRung } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { ConfigObserver, observeConfig } from './config.ts';

const BASE: Record<string, MemoryNode> = { '/proc/cmdline': 'quiet\n', '/proc/sys/kernel/osrelease': '6.1.0-test\n' };

async function config(nodes: Record<string, MemoryNode>) {
  const observation = await observeConfig(new MemoryHostFiles({ ...BASE, ...nodes }));
  if (observation.kind !== 'value') throw new Error(observation.reason);
  return observation.value;
}

describe('observeConfig', () => {
  it('reads a host without any configuration as one without, and leaves unknown switches out', async () => {
    expect(await config({})).toEqual({
      modprobe: [],
      modulesLoad: [],
      kernelCmdline: 'quiet',
      blocks: [],
      unreadable: [],
    });
  });

  it('reads the switches of the kernel', async () => {
    const value = await config({
      '/proc/sys/kernel/modules_disabled': '1\n',
      '/sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
      '/sys/module/module/parameters/sig_enforce': 'Y\n',
      '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c': Buffer.from([6, 0, 0, 0, 1]),
    });
    expect(value).toMatchObject({ modulesDisabled: true, lockdown: 'integrity', sigEnforce: true, secureBoot: true });
    expect(value.blocks).toMatchObject([{ kmod: '', rung: BlockRung.BLOCK_RUNG_MODULES_DISABLED }]);
  });

  it('says that the boot image is older than a block', async () => {
    const image = '/boot/initrd.img-6.1.0-test';
    const files = new MemoryHostFiles({ ...BASE, [image]: 'cpio', '/etc/modprobe.d/x.conf': 'blacklist floppy\n' });
    files.mtimes.set('/etc/modprobe.d/x.conf', 1);
    const observation = await observeConfig(files);
    expect(observation).toMatchObject({
      value: { blocks: [{ kmod: 'floppy' }, { kmod: 'floppy', rung: BlockRung.BLOCK_RUNG_INITRAMFS, file: image }] },
    });
  });

  it('computes blocks again when a file, a switch or the index is another, and reads the index only then', async () => {
    const folder = '/lib/modules/6.1.0-test';
    const files = new MemoryHostFiles({
      ...BASE,
      [`${folder}/modules.dep`]: 'kernel/net/tipc.ko:\n',
      [`${folder}/modules.builtin`]: '',
      '/etc/modprobe.d/x.conf': 'install tipc /bin/false\n',
    });
    const observer = new ConfigObserver(files);
    const look = async (): Promise<{ kmods: (string | undefined)[]; readIndex: boolean }> => {
      files.reads.length = 0;
      const observation = await observer.look();
      if (observation.kind !== 'value') throw new Error(observation.reason);
      return {
        kmods: observation.value.blocks.map(({ kmod }) => kmod),
        readIndex: files.reads.includes(`${folder}/modules.dep`),
      };
    };
    expect(await look()).toEqual({ kmods: ['tipc'], readIndex: true });
    expect(await look()).toEqual({ kmods: ['tipc'], readIndex: false });
    files.nodes.set('/etc/modprobe.d/y.conf', 'blacklist floppy\n');
    expect(await look()).toEqual({ kmods: ['floppy', 'tipc'], readIndex: true });
    files.nodes.set('/proc/sys/kernel/modules_disabled', '1\n');
    expect(await look()).toEqual({ kmods: ['', 'floppy', 'tipc'], readIndex: true });
    files.nodes.set(`${folder}/modules.dep`, 'kernel/net/tipc.ko:\nkernel/net/rds.ko:\n');
    expect((await look()).readIndex).toBe(true);
  });

  it('names what cannot be read instead of leaving it out', async () => {
    const { unreadable } = await config({
      '/etc/modprobe.d/secret.conf': { errno: 'EACCES' },
      '/etc/modprobe.d/z.conf': 'Blacklist x\n',
      '/run/modprobe.d': { errno: 'EIO' },
      '/etc/modules': { errno: 'EACCES' },
      '/proc/sys/kernel/modules_disabled': { errno: 'EACCES' },
      '/sys/firmware/efi/fw_platform_size': '64\n',
    });
    expect(unreadable).toEqual([
      '/run/modprobe.d cannot be read (EIO)',
      '/etc/modprobe.d/secret.conf may not be read by this user (EACCES)',
      '/etc/modules may not be read by this user (EACCES)',
      '/proc/sys/kernel/modules_disabled may not be read by this user (EACCES)',
      '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c does not exist',
      '/etc/modprobe.d/z.conf:1 is ignored by modprobe: "Blacklist" is not lower case',
    ]);
  });

  it('reads what is loaded at boot, once', async () => {
    const { modulesLoad } = await config({
      '/proc/cmdline': 'modules_load=a,b-c\n',
      '/etc/modules': '# old list\nloop\n',
      '/etc/modules-load.d/modules.conf': { link: '../modules' },
      '/usr/lib/modules-load.d/z.conf': '; comment\n\nsnd-x\n',
    });
    expect(modulesLoad.map(({ name, file, line }) => `${name} ${file}:${line}`)).toEqual([
      'a /proc/cmdline:0',
      'b_c /proc/cmdline:0',
      'loop /etc/modules-load.d/modules.conf:2',
      'snd_x /usr/lib/modules-load.d/z.conf:3',
    ]);
  });

  it('reads /etc/modules where no link points to it', async () => {
    expect((await config({ '/etc/modules': 'loop\n' })).modulesLoad).toMatchObject([
      { name: 'loop', file: '/etc/modules', line: 1 },
    ]);
  });

  it("is incapable in a container, whose files are not the host's", async () => {
    const observation = await observeConfig(new MemoryHostFiles({ ...BASE, '/run/.containerenv': '' }));
    expect(observation).toMatchObject({ kind: 'incapable', reason: expect.stringContaining('container (podman)') });
  });
});
