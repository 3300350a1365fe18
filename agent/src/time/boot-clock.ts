import { uptime } from 'node:os';
import type { BootClock } from './clock.ts';

/**
 * Boot time of this kernel. libuv reads /proc/uptime (or, where that is missing, CLOCK_BOOTTIME): both count suspend, which Node's hrtime does not,
 * and neither follows the wall clock. Resolution 10 ms.
 */
export class HostBootClock implements BootClock {
  nowMs(): number {
    return Math.round(uptime() * 1000);
  }
}
