/**
 * The kernel's spelling of a name found on the host: `-` folded to `_`, nothing checked. For names that a file or the kernel gives; names that
 * people give go through `canonicalKmodName`.
 */
export function kernelName(found: string): string {
  return found.replaceAll('-', '_');
}

/** The name of a kmod file: `kernel/drivers/net/virtio_net.ko.xz` is `virtio_net`. */
export function nameOfFile(path: string): string {
  return kernelName(path.slice(path.lastIndexOf('/') + 1).replace(/\.ko(\.(xz|zst|gz))?$/, ''));
}
