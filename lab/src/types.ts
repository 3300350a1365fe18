/** `fast`: busybox on a small disk, about 5 s to the first command. `full`: Debian with systemd, udev and networkd. */
export type HostKind = 'fast' | 'full';

/** The two Debian 12 kernel series that the lab boots. */
export type KernelSeries = '6.1' | '6.12';

/** Every kind, in the order in which they are built. */
export const HOST_KINDS: readonly HostKind[] = ['fast', 'full'];

/** Every series, oldest first. */
export const KERNEL_SERIES: readonly KernelSeries[] = ['6.1', '6.12'];

/** Told what is going on, one short line at a time, whenever something may take more than a second. */
export type Progress = (line: string) => void;

/** A progress that says nothing: for callers without anybody watching. */
export const silent: Progress = () => undefined;
