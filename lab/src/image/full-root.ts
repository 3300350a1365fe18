import { appendFile, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FULL_ROOT_PACKAGES } from '../debian/package-groups.ts';
import { LabError } from '../lab-error.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';

/**
 * Units that only cost time on an emulated CPU, where each program that starts takes a tenth of a second: consoles nobody sees,
 * file systems nobody mounts, timers, and kmods that Debian loads in case somebody needs them.
 */
const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty.target',
  'modprobe@configfs.service',
  'modprobe@dm_mod.service',
  'modprobe@drm.service',
  'modprobe@efi_pstore.service',
  'modprobe@fuse.service',
  'modprobe@loop.service',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-journal-flush.service',
  'systemd-logind.service',
  'systemd-network-generator.service',
  'systemd-networkd-wait-online.service',
  'systemd-pstore.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-sysusers.service',
  'systemd-tmpfiles-clean.timer',
  'systemd-update-utmp-runlevel.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
];

/** Generators look for disks, kernels and consoles that a lab host does not have: a program start each, at every boot. */
const MASKED_GENERATORS = [
  'systemd-bless-boot-generator',
  'systemd-cryptsetup-generator',
  'systemd-debug-generator',
  'systemd-fstab-generator',
  'systemd-getty-generator',
  'systemd-gpt-auto-generator',
  'systemd-hibernate-resume-generator',
  'systemd-integritysetup-generator',
  'systemd-rc-local-generator',
  'systemd-run-generator',
  'systemd-system-update-generator',
  'systemd-sysv-generator',
  'systemd-veritysetup-generator',
];

/** The journal in memory: nothing reads it after a reboot, and the emulated disk is slow. */
const JOURNAL_SETTINGS = '[Journal]\nStorage=volatile\n';

/** What starts ifupdown on every Debian that has it; a host that is booted with it gets them back (network-files.ts). */
const IFUPDOWN_STARTERS = [
  'etc/systemd/system/multi-user.target.wants/networking.service',
  'etc/systemd/system/network-online.target.wants/networking.service',
  'usr/lib/udev/rules.d/80-ifupdown.rules',
];

/**
 * Fills `root` with Debian 12: systemd, udev, networkd, kmod and `packages`. Needs root: files must belong to it, and scripts run inside.
 */
export async function fullBase(root: string, packages: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new LabError('The full kind of lab host must be built as root (the fast kind need not).');
  }
  await runProgram('mmdebstrap', [
    '--quiet',
    '--mode=root',
    '--variant=minbase',
    `--include=${[...FULL_ROOT_PACKAGES, ...packages].join(',')}`,
    '--customize-hook=chroot "$1" systemctl --quiet enable systemd-networkd.service',
    '--customize-hook=rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/var/lib/apt/lists "$1"/var/cache/apt',
    'bookworm',
    root,
  ]);
}

/** Makes Debian a full lab host: the harness's units, the network, nothing that only costs time. */
export async function installFull(root: string): Promise<void> {
  const units = join(root, 'etc/systemd/system');
  for (const unit of MASKED_UNITS) await masked(units, unit);
  for (const generator of MASKED_GENERATORS) await masked(join(root, 'etc/systemd/system-generators'), generator);
  for (const path of IFUPDOWN_STARTERS) await rm(join(root, path), { force: true });
  await symlink('/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  await mkdir(join(root, 'etc/systemd/journald.conf.d'), { recursive: true });
  await writeFile(join(root, 'etc/systemd/journald.conf.d/lab.conf'), JOURNAL_SETTINGS);
  await installUnit(units, 'modfleet-lab-control.service', 'sysinit.target');
  await installUnit(units, 'modfleet-lab-shell.service', 'multi-user.target');
  await addAgentUser(root);
  await cp(join(labPaths.guestFiles, 'full/80-lab.network'), join(root, 'etc/systemd/network/80-lab.network'));
  await writeFile(join(root, 'etc/fstab'), '# The initramfs mounts the root file system.\n');
}

/** What systemd-sysusers makes of the agent's modfleet.conf on any other host; here it would cost a program start at each boot. */
async function addAgentUser(root: string): Promise<void> {
  await appendFile(join(root, 'etc/group'), 'modfleet:x:990:\n');
  await appendFile(join(root, 'etc/passwd'), 'modfleet:x:990:990:modfleet agent:/var/lib/modfleet:/usr/sbin/nologin\n');
  await appendFile(join(root, 'etc/shadow'), 'modfleet:!*:20000::::::\n');
}

/** As `systemctl mask` does it; a unit that mmdebstrap enabled here already loses its link. */
async function masked(folder: string, name: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rm(join(folder, name), { force: true });
  await symlink('/dev/null', join(folder, name));
}

async function installUnit(units: string, name: string, target: string): Promise<void> {
  await cp(join(labPaths.guestFiles, 'full', name), join(units, name));
  await mkdir(join(units, `${target}.wants`), { recursive: true });
  await symlink(`../${name}`, join(units, `${target}.wants`, name));
}
