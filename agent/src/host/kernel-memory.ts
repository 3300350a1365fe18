/**
 * Files that the kernel answers from its memory at once. All of /proc and /sys, but those whose answer waits for a lock that another process may
 * hold for as long as a driver's routine hangs, or for the firmware:
 *
 * - `/proc/PID/cmdline`, `environ`, `maps`, …: the process's address space (fs/proc/base.c, mm_access and mmap_lock);
 * - `uevent`, `driver_override`: the device's lock (drivers/base/core.c, uevent_show of 6.1 and 6.12; bus.c), held while its driver is removed;
 * - `parameters/`: the kmod's parameter lock (kernel/params.c, param_attr_show), held while one of its setters runs;
 * - `speed`, `duplex`, `carrier`, … of an interface: RTNL, asked for again and again (net/core/net-sysfs.c, rtnl_trylock and restart_syscall);
 * - EFI variables: the firmware (Documentation/ABI/stable/sysfs-firmware-efi-vars).
 */
const WAITS =
  /^\/proc\/[^/]+\/(cmdline|environ|auxv|mem|pagemap|(num)?maps|numa_maps|smaps.*|stack|syscall|wchan)$|\/(uevent|driver_override|carrier|dormant|speed|duplex|phys_[a-z_]+)$|\/parameters\/|^\/sys\/firmware\//;

/** Whether a file may be read on the thread that does everything else: a turn through libuv's threads costs ten times the read. */
export function answersAtOnce(hostPath: string): boolean {
  return (hostPath.startsWith('/proc/') || hostPath.startsWith('/sys/')) && !WAITS.test(hostPath);
}
