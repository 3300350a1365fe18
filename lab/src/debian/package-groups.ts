import type { KernelSeries } from '../types.ts';

/** What the root of a fast host is unpacked from, with every library that these programs load. */
export const FAST_ROOT_PACKAGES: readonly string[] = [
  'busybox-static',
  'dash',
  'kmod',
  'udev',
  'libc6',
  'libgcc-s1',
  'libstdc++6',
  'libkmod2',
  'liblzma5',
  'libzstd1',
  'libssl3',
  'libudev1',
  'libacl1',
  'libblkid1',
  'libcap2',
  'libselinux1',
  'libpcre2-8-0',
  // ip, as an agent without it gives no confirm window.
  'iproute2',
  'libbpf1',
  'libbsd0',
  'libelf1',
  'libmd0',
  'libmnl0',
  'zlib1g',
  // Of it flock alone, which Debian's busybox has not: an agent without it does nothing.
  'util-linux',
];

/** What the full kind's root has besides Debian's minimal set. libstdc++6: for Node.js. ifupdown: off unless a host is booted with it. */
export const FULL_ROOT_PACKAGES: readonly string[] = [
  'systemd',
  'systemd-sysv',
  'udev',
  'kmod',
  'dbus',
  'iproute2',
  'ifupdown',
  'dmsetup',
  'libstdc++6',
  'busybox-static',
];

const IMAGE_NAMES = {
  '6.1': { search: '^linux-image-6\\.1\\.0-[0-9]+-cloud-amd64$', release: /^linux-image-(6\.1\.0-(\d+)-cloud-amd64)$/ },
  '6.12': {
    search: '^linux-image-6\\.12\\.[0-9]+\\+deb12-cloud-amd64$',
    release: /^linux-image-(6\.12\.(\d+)\+deb12-cloud-amd64)$/,
  },
} satisfies Record<KernelSeries, { search: string; release: RegExp }>;

/** The pattern with which apt-cache finds the signed cloud kernels of a series. */
export const imageSearchPattern = (series: KernelSeries): string => IMAGE_NAMES[series].search;

/** The newest kernel release among package names, e.g. `6.1.0-56-cloud-amd64`; undefined when there is none of the series. */
export function newestRelease(series: KernelSeries, packageNames: readonly string[]): string | undefined {
  let best: { release: string; number: number } | undefined;
  for (const name of packageNames) {
    const match = IMAGE_NAMES[series].release.exec(name);
    if (match?.[1] === undefined) continue;
    const number = Number(match[2]);
    if (best === undefined || number > best.number) best = { release: match[1], number };
  }
  return best?.release;
}

/** From the `Depends:` line of a headers package: the packages whose files a kmod build needs too. */
export function headerCompanions(dependsLine: string): string[] {
  return dependsLine
    .split(',')
    .map((part) => part.trim().split(' ')[0] ?? '')
    .filter((name) => name.startsWith('linux-kbuild-') || /^linux-headers-.*-common$/.test(name));
}

/** One package file as apt names it: a change of the hash is a change of the content. */
export interface PackageFile {
  file: string;
  hash: string;
}

/** Reads `apt-get download --print-uris`: lines of 'URI' FILE SIZE HASH. */
export function parsePrintUris(output: string): PackageFile[] {
  return output
    .split('\n')
    .map((line) => /^'[^']+' (\S+) \d+ (\S+)$/.exec(line.trim()))
    .flatMap((match) => (match?.[1] && match[2] ? [{ file: match[1], hash: match[2] }] : []));
}
