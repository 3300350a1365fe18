import { writeFile } from 'node:fs/promises';

/** Settings of network interfaces: beside those of host-writes.ts the only files of the host that are ever written outside the agent's own folders. */
const WRITABLE = /^\/proc\/sys\/net\/ipv[46]\/(conf|neigh)\/[^/]+\/[a-z0-9_]+$/;

/** Writes settings of the running kernel. */
export interface HostSettings {
  /** False when the path is none that may be written, or the kernel does not take the value. */
  write(path: string, value: string): Promise<boolean>;
}

/** Settings of this machine. */
export class ProcSysSettings implements HostSettings {
  async write(path: string, value: string): Promise<boolean> {
    if (!WRITABLE.test(path) || path.includes('/../')) return false;
    try {
      await writeFile(path, `${value}\n`, { flag: 'r+' });
      return true;
    } catch {
      return false;
    }
  }
}
