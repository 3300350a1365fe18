/** `fast`: busybox on a small disk, about 5 s to the first command. `full`: Debian with systemd, udev and networkd. */
export type HostKind = 'fast' | 'full';

/** The two Debian 12 kernel series that the lab boots. */
export type KernelSeries = '6.1' | '6.12';

/**
 * How a full host is connected. `networkd`: one card, DHCP. `ifupdown`: one card, a static address from /etc/network/interfaces, no networkd.
 * `vlan-bond`: VLAN 9 over an active-backup bond of two cards, by networkd.
 */
export type HostNetwork = 'networkd' | 'ifupdown' | 'vlan-bond';

/** What the root file system lies on: the virtio disk, or a device-mapper volume of one linear target over it. */
export type RootDisk = 'plain' | 'dm-linear';

/** Every kind, in the order in which they are built. */
export const HOST_KINDS: readonly HostKind[] = ['fast', 'full'];

/** Every series, oldest first. */
export const KERNEL_SERIES: readonly KernelSeries[] = ['6.1', '6.12'];

/** Every way of being connected, the usual one first. */
export const HOST_NETWORKS: readonly HostNetwork[] = ['networkd', 'ifupdown', 'vlan-bond'];

/** Every kind of root disk, the usual one first. */
export const ROOT_DISKS: readonly RootDisk[] = ['plain', 'dm-linear'];

/** Told what is going on, one short line at a time, whenever something may take more than a second. */
export type Progress = (line: string) => void;

/** A progress that says nothing: for callers without anybody watching. */
export const silent: Progress = () => undefined;
