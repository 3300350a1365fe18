import type { ProgramName } from './exec.ts';

/** Where Debian, Red Hat and SUSE keep system programs; in this order. PATH is never asked: it may name a folder that others can write. */
export const PROGRAM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin'] as const;

/** What each program is for: shown by `modfleet-agent check`. */
export const PROGRAM_PURPOSE = {
  modprobe: 'load kmods',
  rmmod: 'unload kmods',
  udevadm: 'see kmods come and go as it happens',
  cat: 'the same, from the socket that systemd opened for it',
  flock: 'let one helper, and one revert, work at a time',
  dmesg: 'say why the kernel refused a kmod',
  dmsetup: 'see what device-mapper volumes stand on',
  ip: 'see network interfaces, their kinds and routes',
  nft: 'see tables and rules of the packet filter',
  tc: 'see who uses the kmods of traffic control',
  'systemd-run': 'keep a stuck unload, and the timer of a confirm window, apart from the agent',
  systemctl: 'disarm the timer of a confirm window',
  reboot: 'recover a host that lost its server (reboot_to_recover)',
} as const satisfies Record<ProgramName, string>;

/** Every program that may be run. */
export const PROGRAM_NAMES = Object.keys(PROGRAM_PURPOSE) as ProgramName[];

/** The environment of every program: messages in English, nothing of ours. */
export const PROGRAM_ENVIRONMENT = { LC_ALL: 'C', PATH: PROGRAM_FOLDERS.join(':') } as const;
