import { compareDebPart, compareRpmPart, type Order } from './package-version.ts';

/** Machine names that RPM kernels put at the end of their release. */
const RPM_ARCHITECTURE = /\.(x86_64(_v[1-4])?|aarch64|ppc64le|s390x|i[3-6]86|armv7hl|riscv64)(\+[a-z0-9_-]+)?$/;

/**
 * A kernel release without what says nothing of its version: the flavour (`-cloud-amd64`, `-generic`, `-default`) and RPM's architecture. So
 * `6.1.0-49-cloud-amd64` is older than `6.1.0-51`, and `6.1.0-51-cloud-amd64` equals it. A part after "-" that begins with a letter is flavour.
 */
export function withoutFlavour(release: string): string {
  const [first = '', ...rest] = release.replace(RPM_ARCHITECTURE, '').split('-');
  const flavour = rest.findIndex((part) => !/^[0-9]/.test(part));
  return [first, ...(flavour < 0 ? rest : rest.slice(0, flavour))].join('-');
}

/** Compares kernel releases as the host's package family compares the versions of its packages; without a family as dpkg does. */
export function compareKernelReleases(left: string, right: string, family: string): Order {
  const a = split(withoutFlavour(left));
  const b = split(withoutFlavour(right));
  if (family === 'rpm') {
    const order = compareRpmPart(a.version, b.version);
    // As in rpm's own requirements: where one side names no release, only the version counts.
    return order !== 0 || a.revision === undefined || b.revision === undefined
      ? order
      : compareRpmPart(a.revision, b.revision);
  }
  const order = compareDebPart(a.version, b.version);
  return order !== 0 ? order : compareDebPart(a.revision ?? '0', b.revision ?? '0');
}

function split(release: string): { version: string; revision: string | undefined } {
  const dash = release.lastIndexOf('-');
  return dash < 0
    ? { version: release, revision: undefined }
    : { version: release.slice(0, dash), revision: release.slice(dash + 1) };
}
