import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { downloadPackages, unpackPackages } from '../debian/download.ts';
import type { PackageFile } from '../debian/package-groups.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import type { Progress } from '../types.ts';
import { exists } from './cached.ts';

const MERGED_FOLDERS = ['bin', 'sbin', 'lib', 'lib64'];

const KMOD_PROGRAMS = ['insmod', 'rmmod', 'lsmod', 'modprobe', 'modinfo', 'depmod'];

const EMPTY_FOLDERS = ['dev', 'proc', 'sys', 'run', 'tmp', 'root', 'var/log', 'etc/modprobe.d', 'etc/modules-load.d'];

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

/** Its other programs would take the place of busybox's, and want more libraries. */
const isUtilLinux = (deb: string): boolean => basename(deb).startsWith('util-linux_');

async function installFlock(debs: readonly string[], root: string): Promise<void> {
  const scratch = `${root}.util-linux`;
  await mkdir(scratch);
  await unpackPackages(debs, scratch);
  await cp(join(scratch, 'usr/bin/flock'), join(root, 'usr/bin/flock'));
  await rm(scratch, { recursive: true });
}

/** Unpacks the user space of a fast host: busybox with its applets, dash, kmod, udevadm, flock and their libraries. */
export async function fastBase(root: string, packages: readonly PackageFile[], progress: Progress): Promise<void> {
  const debs = await downloadPackages(packages, progress);
  const apart = debs.filter(isUtilLinux);
  await mergedTree(
    debs.filter((deb) => !apart.includes(deb)),
    root,
  );
  await installFlock(apart, root);
  await linkPrograms(root);
  await writeFile(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  );
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await writeFile(join(root, 'etc/os-release'), OS_RELEASE);
  for (const name of EMPTY_FOLDERS) await mkdir(join(root, name), { recursive: true });
}

/** Installs what makes the user space a fast lab host: busybox init's table and the scripts that it names. */
export async function installFast(root: string): Promise<void> {
  await cp(join(labPaths.guestFiles, 'fast/inittab'), join(root, 'etc/inittab'));
  for (const name of ['setup', 'agent-loop']) {
    await cp(join(labPaths.guestFiles, 'fast', name), join(root, 'usr/lib/modfleet-lab', name));
  }
}

/** An applet of busybox never replaces a real program; kmod is one program under six names. */
async function linkPrograms(root: string): Promise<void> {
  const links = new Map(KMOD_PROGRAMS.map((name) => [`usr/sbin/${name}`, '../bin/kmod']));
  links.set('usr/bin/sh', 'dash');
  for (const name of ['init', 'reboot', 'poweroff', 'halt']) links.set(`usr/sbin/${name}`, '../bin/busybox');
  const applets = (await runProgram(join(root, 'usr/bin/busybox'), ['--list'])).split('\n').filter(Boolean);
  for (const name of applets)
    if (!KMOD_PROGRAMS.includes(name)) links.set(`usr/bin/${name}`, links.get(`usr/bin/${name}`) ?? 'busybox');
  for (const [path, target] of links) if (!(await exists(join(root, path)))) await symlink(target, join(root, path));
}

const OS_RELEASE = `PRETTY_NAME="modfleet lab host (Debian 12 packages)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
`;
