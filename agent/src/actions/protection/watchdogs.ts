import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { baseName, type Support, supportsOfDevice } from './device-chain.ts';

const WATCHDOGS = '/sys/class/watchdog';

/** What a watchdog calls itself, for those without a device link (drivers/watchdog). */
const BY_IDENTITY: Readonly<Record<string, string>> = { 'Software Watchdog': 'softdog' };

/** An armed watchdog: it resets the host when nobody feeds it. */
export interface ArmedWatchdog {
  readonly name: string;
  readonly identity: string;
  readonly supports: readonly Support[];
}

/** All armed watchdogs. */
export async function readArmedWatchdogs(files: HostFiles): Promise<ArmedWatchdog[]> {
  const armed: ArmedWatchdog[] = [];
  for (const { name } of valueOf(await files.list(WATCHDOGS)) ?? []) {
    const folder = `${WATCHDOGS}/${name}`;
    if (valueOf(await files.readText(`${folder}/state`))?.trim() !== 'active') continue;
    const identity = valueOf(await files.readText(`${folder}/identity`))?.trim() ?? '';
    const device = valueOf(await files.realPath(`${folder}/device`));
    const supports = device === undefined ? [] : await supportsOfDevice(files, device);
    const byIdentity = BY_IDENTITY[identity];
    // A platform device is named after its driver, which for watchdogs is the kmod's name more often than not.
    const named = device === undefined ? [] : [kernelName(baseName(device).replace(/\.\d+$/, ''))];
    armed.push({
      name,
      identity,
      supports: [
        ...supports,
        ...[...named, ...(byIdentity === undefined ? [] : [byIdentity])].map((kmod) => ({
          kmod,
          seenAt: `${folder}: ${identity}`,
        })),
      ],
    });
  }
  return armed;
}
