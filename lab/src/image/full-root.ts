import { cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FULL_ROOT_PACKAGES } from '../debian/package-groups.ts';
import { LabError } from '../lab-error.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import { installGuestTools } from './fast-root.ts';

/** Units that only cost time on an emulated CPU. */
const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty@tty1.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-networkd-wait-online.service',
];

/** Fills `root` with Debian 12: systemd, udev, networkd, kmod. Needs root: files must belong to it, and scripts run inside. */
export async function fullRoot(root: string): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new LabError('The full kind of lab host must be built as root (the fast kind need not).');
  await rm(root, { recursive: true, force: true });
  await runProgram('mmdebstrap', [
    '--quiet',
    '--mode=root',
    '--variant=minbase',
    `--include=${FULL_ROOT_PACKAGES.join(',')}`,
    '--customize-hook=chroot "$1" systemctl --quiet enable systemd-networkd.service',
    '--customize-hook=rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt/lists "$1"/var/cache/apt',
    'bookworm',
    root,
  ]);
  await installGuestTools(root);
  const units = join(root, 'etc/systemd/system');
  for (const unit of MASKED_UNITS) await symlink('/dev/null', join(units, unit)).catch(() => undefined);
  await installUnit(units, 'modfleet-lab-control.service', 'sysinit.target');
  await installUnit(units, 'modfleet-lab-shell.service', 'multi-user.target');
  await cp(join(labPaths.guestFiles, 'full/80-lab.network'), join(root, 'etc/systemd/network/80-lab.network'));
  await writeFile(join(root, 'etc/fstab'), '# The initramfs mounts the root file system.\n');
}

async function installUnit(units: string, name: string, target: string): Promise<void> {
  await cp(join(labPaths.guestFiles, 'full', name), join(units, name));
  await mkdir(join(units, `${target}.wants`), { recursive: true });
  await symlink(`../${name}`, join(units, `${target}.wants`, name));
}
