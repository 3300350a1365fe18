import type { Exec } from '../../exec/exec.ts';

/** Lines that are kept: an oops has about 60, and the first ones say it. */
const MAX_LINES = 40;

const TIMEOUT_MS = 5_000;

/** Lines that matter though they name no kmod (kernel-facts 4 and 8). */
const MARKS =
  /Lockdown: |Loading of (unsigned )?module|BUG: |Oops: |kernel BUG at |WARNING: |invalid opcode|\bcut here\b/;

/** Kernel log lines since a boot time (ms) that name the kmod or mark a fault; empty where the log may not be read. */
export async function readKernelLog(exec: Exec, kmod: string, sinceBootMs: number): Promise<string[]> {
  if (exec.find('dmesg') === undefined) return [];
  const result = await exec.run('dmesg', [], { timeoutMs: TIMEOUT_MS });
  return result.ended.kind === 'exited' && result.ended.code === 0 ? pickLines(result.stdout, kmod, sinceBootMs) : [];
}

/** `[   12.345678] text`: the number is seconds since boot, without suspend, so a second of slack is given. */
export function pickLines(text: string, kmod: string, sinceBootMs: number): string[] {
  const name = new RegExp(`(^|[^A-Za-z0-9_])${kmod.replaceAll('_', '[-_]')}([^A-Za-z0-9_]|$)`);
  return text
    .split('\n')
    .filter((line) => {
      const seconds = /^\[\s*(\d+\.\d+)\]/.exec(line)?.[1];
      if (seconds === undefined || Number(seconds) * 1000 < sinceBootMs - 1000) return false;
      return name.test(line) || MARKS.test(line);
    })
    .slice(0, MAX_LINES);
}
