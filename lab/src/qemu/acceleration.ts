import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { cpioArchive, cpioEntries } from '../image/cpio.ts';
import { labPaths } from '../lab-paths.ts';
import { withPidLock } from '../pid-lock.ts';
import type { Progress } from '../types.ts';
import type { Accelerator } from './qemu-arguments.ts';

/** With hardware support a kernel is in user space after a second; where it only pretends it hangs or dies. */
const PROBE_MS = 10_000;

/** A kernel that crashes also ends QEMU with exit code 0, so only its first program's own words count. */
const WORDS = 'lab probe: user space reached';

const PROBE_INIT = `#!/bin/busybox sh\necho "${WORDS}"\n/bin/busybox poweroff -f\n`;

/** A probe holds for one boot of one machine. */
async function machineKey(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return createHash('sha256').update(`${hostname()} ${boot}`).digest('hex').slice(0, 12);
}

/** Boots a kernel with KVM; true when its first program spoke in time. */
function reachesUserSpace(kernel: string, initrd: string): Promise<boolean> {
  const args = [
    [
      '--pdeathsig',
      'KILL',
      '--',
      'qemu-system-x86_64',
      '-nodefaults',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-no-reboot',
    ],
    ['-machine', 'pc', '-accel', 'kvm', '-cpu', 'host', '-m', '256M'],
    ['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1'],
  ];
  const child = spawn('setpriv', args.flat());
  let console = '';
  child.stdout.on('data', (chunk: Buffer) => (console += chunk.toString()));
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), PROBE_MS);
    child.on('error', () => resolve(false));
    child.on('close', () => {
      clearTimeout(timer);
      resolve(console.includes(WORDS));
    });
  });
}

async function probe(kernel: string, busybox: string): Promise<Accelerator> {
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!usable) return 'tcg';
  const initrd = join(labPaths.cache, `kvm-probe-${process.pid}.cpio`);
  const files = new Map([
    ['init', { content: Buffer.from(PROBE_INIT), mode: 0o755 }],
    ['bin/busybox', { content: await readFile(busybox), mode: 0o755 }],
  ]);
  await writeFile(initrd, cpioArchive(cpioEntries(files)));
  try {
    return (await reachesUserSpace(kernel, initrd)) ? 'kvm' : 'tcg';
  } finally {
    await rm(initrd, { force: true });
  }
}

async function remembered(kernel: string, busybox: string, progress: Progress): Promise<Accelerator> {
  const cache = join(labPaths.cache, `accelerator-${await machineKey()}`);
  const read = async (): Promise<Accelerator | undefined> => {
    const known = await readFile(cache, 'utf8').catch(() => undefined);
    return known === 'kvm' || known === 'tcg' ? known : undefined;
  };
  const waiting = (): void => progress('another process is trying KVM, waiting');
  return (
    (await read()) ??
    (await withPidLock(`${cache}.lock`, waiting, async () => {
      const known = await read();
      if (known !== undefined) return known;
      progress(`trying whether KVM works here (once, at most ${PROBE_MS / 1000} s)`);
      const found = await probe(kernel, busybox);
      progress(found === 'kvm' ? 'KVM works' : 'KVM does not work here: emulating the CPU');
      await writeFile(cache, found);
      return found;
    }))
  );
}

let ofThisProcess: Promise<Accelerator> | undefined;

/** KVM where it was seen to boot a kernel on this machine since it started, else emulation. A device file alone proves nothing. */
export function accelerator(kernel: string, busybox: string, progress: Progress): Promise<Accelerator> {
  ofThisProcess ??= remembered(kernel, busybox, progress);
  return ofThisProcess;
}
