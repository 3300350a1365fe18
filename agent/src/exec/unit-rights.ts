/*
 * What transient units may, as systemd.exec(5) has it. They are started by the service manager, so nothing of the helper's sandbox is theirs.
 *
 * No mount namespace (ProtectSystem and the like): making one can fail where memory is short, and a revert is what must not.
 */

const NOTHING_MORE = [
  'NoNewPrivileges=yes',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
] as const;

/** Of an unload: `rmmod` asks the kernel one thing. */
export const UNLOAD_RIGHTS: readonly string[] = [
  'CapabilityBoundingSet=CAP_SYS_MODULE',
  'RestrictAddressFamilies=AF_UNIX',
  ...NOTHING_MORE,
];

/** Of a revert: kmods, the network, and whether the server's address answers. modfleet-revert.service has the same. */
export const REVERT_RIGHTS: readonly string[] = [
  'CapabilityBoundingSet=CAP_SYS_MODULE CAP_NET_ADMIN',
  'RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6',
  ...NOTHING_MORE,
];

/**
 * A revert that dies, or cannot read its window, is started again: of a dead one nothing is put back. Not for ever: what ends ten times in ten minutes
 * will end so again, and the agent begins anew. modfleet-revert.service has the same.
 */
export const REVERT_RESTARTS: readonly string[] = [
  'Restart=on-failure',
  'RestartSec=2s',
  'StartLimitIntervalSec=600s',
  'StartLimitBurst=10',
];

/** As systemd-run takes them. */
export function asProperties(rights: readonly string[]): string[] {
  return rights.map((one) => `--property=${one}`);
}
