import type { HostFiles } from './host-files.ts';

/** What this process may do that matters here (capabilities(7)). */
export interface Capabilities {
  /** CAP_SYS_MODULE: load and unload kmods. */
  readonly sysModule: boolean;
  /** CAP_SYSLOG: read the kernel's log where kernel.dmesg_restrict is 1. */
  readonly syslog: boolean;
}

/** Bits of CapEff (linux/capability.h). */
const CAP_SYS_MODULE = 16n;
const CAP_SYSLOG = 34n;

/** The effective capabilities of this process; undefined when they cannot be read. */
export async function readCapabilities(files: HostFiles): Promise<Capabilities | undefined> {
  const status = await files.readText('/proc/self/status');
  const mask = status.kind === 'ok' ? /^CapEff:\s*([0-9a-f]+)$/m.exec(status.value)?.[1] : undefined;
  if (mask === undefined) return undefined;
  const bits = BigInt(`0x${mask}`);
  const has = (capability: bigint): boolean => (bits & (1n << capability)) !== 0n;
  return { sysModule: has(CAP_SYS_MODULE), syslog: has(CAP_SYSLOG) };
}
