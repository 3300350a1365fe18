import type { Exec } from '../exec/exec.ts';
import { udevadmSource } from './udevadm-source.ts';
import { UeventWatch } from './uevent-watch.ts';

/** udevadm says that it listens within milliseconds; a machine that is busy takes its time to start a program. */
const PROBE_MS = 20_000;

/** Undefined when kernel uevents can be watched here; else why not. */
export async function probeUevents(exec: Exec, limitMs = PROBE_MS): Promise<string | undefined> {
  if (exec.find('udevadm') === undefined) return 'udevadm is not installed (package udev)';
  let watch: UeventWatch | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      timer = setTimeout(() => resolve('udevadm monitor does not listen'), limitMs);
      const listener = {
        onEvent: () => undefined,
        onReady: () => resolve(undefined),
        onLost: () => undefined,
        onEnded: resolve,
      };
      watch = new UeventWatch(exec, udevadmSource, listener);
      void watch.start();
    });
  } finally {
    clearTimeout(timer);
    watch?.stop();
  }
}
