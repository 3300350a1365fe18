import { chmod, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadPackages, unpackPackages } from '../debian/download.ts';
import type { PackageFile } from '../debian/package-groups.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import type { Progress } from '../types.ts';
import { exists } from './cached.ts';

const MERGED_FOLDERS = ['bin', 'sbin', 'lib', 'lib64'];

/** Nothing on a fast host reads these. */
const NEEDLESS = ['usr/share', 'var/lib/dpkg', 'usr/lib/udev/hwdb.d', 'etc/init.d'];

/** Debian's packages still have files in /bin and /lib: unpacked beside, then merged below /usr as Debian itself does. */
async function mergedTree(debs: readonly string[], root: string): Promise<void> {
  const scratch = `${root}.unpacked`;
  await mkdir(scratch);
  await unpackPackages(debs, scratch);
  for (const name of MERGED_FOLDERS) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
    if (!(await exists(join(scratch, name)))) continue;
    await runProgram('cp', ['-a', `${scratch}/${name}/.`, join(root, 'usr', name)]);
    await rm(join(scratch, name), { recursive: true });
  }
  await runProgram('cp', ['-a', `${scratch}/.`, root]);
  await rm(scratch, { recursive: true });
  for (const path of NEEDLESS) await rm(join(root, path), { recursive: true, force: true });
}

/** The lab's own programs, the same on both kinds. */
export async function installGuestTools(root: string): Promise<void> {
  const tools = join(root, 'usr/lib/modfleet-lab');
  await mkdir(tools, { recursive: true });
  await cp(join(root, 'usr/bin/busybox'), join(tools, 'busybox'));
  for (const name of ['control', 'shell', 'agent-service', 'power'])
    await cp(join(labPaths.guestFiles, name), join(tools, name));
  await cp(join(labPaths.guestFiles, 'modfleet-agent'), join(root, 'usr/bin/modfleet-agent'));
  await cp(labPaths.nodeBinary, join(root, 'usr/bin/node'));
}

/** Fills `root` with the user space of a fast host: busybox as init, kmod, udevadm, node, the lab's scripts; no kmods yet. */
export async function fastRoot(root: string, packages: readonly PackageFile[], progress: Progress): Promise<void> {
  await mergedTree(await downloadPackages(packages, progress), root);
  for (const name of [
    'dev',
    'proc',
    'sys',
    'run',
    'tmp',
    'root',
    'var/log',
    'var/lib',
    'etc/modprobe.d',
    'etc/modules-load.d',
  ]) {
    await mkdir(join(root, name), { recursive: true });
  }
  await installGuestTools(root);
  const applets = (await runProgram(join(root, 'usr/bin/busybox'), ['--list'])).split('\n').filter(Boolean);
  await symlink('dash', join(root, 'usr/bin/sh')).catch(() => undefined);
  // kmod's own programs stand in their places already; an applet never replaces a real program.
  for (const applet of applets) await symlink('busybox', join(root, 'usr/bin', applet)).catch(() => undefined);
  for (const name of ['init', 'reboot', 'poweroff', 'halt']) {
    await symlink('../bin/busybox', join(root, 'usr/sbin', name)).catch(() => undefined);
  }
  for (const name of ['insmod', 'rmmod', 'lsmod', 'modprobe', 'modinfo', 'depmod']) {
    await rm(join(root, 'usr/bin', name), { force: true });
    await rm(join(root, 'usr/sbin', name), { force: true });
    await symlink('../bin/kmod', join(root, 'usr/sbin', name));
  }
  await cp(join(labPaths.guestFiles, 'fast/inittab'), join(root, 'etc/inittab'));
  for (const name of ['setup', 'agent-loop']) {
    await cp(join(labPaths.guestFiles, 'fast', name), join(root, 'usr/lib/modfleet-lab', name));
  }
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await writeFile(join(root, 'etc/os-release'), OS_RELEASE);
  await chmod(join(root, 'tmp'), 0o1777);
}

const OS_RELEASE = `PRETTY_NAME="modfleet lab host (Debian 12 packages)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
`;
