import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { baseName, type Support, supportsOfDevice } from './device-chain.ts';

const WATCHDOGS = '/sys/class/watchdog';

const SOFTDOG = 'softdog';

/** What a watchdog calls itself, for those without a device link (drivers/watchdog). */
const BY_IDENTITY: Readonly<Record<string, string>> = { 'Software Watchdog': SOFTDOG };

/** A watchdog that is armed, or may be: it resets the host when nobody feeds it. */
export interface ArmedWatchdog {
  readonly name: string;
  readonly identity: string;
  /** False: its state cannot be read (a kernel without CONFIG_WATCHDOG_SYSFS shows none). */
  readonly armed: boolean;
  readonly supports: readonly Support[];
}

/** All watchdogs but those that say they are not armed. */
export async function readArmedWatchdogs(files: HostFiles): Promise<ArmedWatchdog[]> {
  const armed: ArmedWatchdog[] = [];
  for (const { name } of valueOf(await files.list(WATCHDOGS)) ?? []) {
    const folder = `${WATCHDOGS}/${name}`;
    const state = valueOf(await files.readText(`${folder}/state`))?.trim();
    if (state !== undefined && state !== 'active') continue;
    const said = valueOf(await files.readText(`${folder}/identity`))?.trim();
    const identity = said ?? 'its name is not to be seen';
    const device = valueOf(await files.realPath(`${folder}/device`));
    const supports = device === undefined ? [] : await supportsOfDevice(files, device);
    const byIdentity = said === undefined && device === undefined ? SOFTDOG : BY_IDENTITY[identity];
    // A platform device is named after its driver, which for watchdogs is the kmod's name more often than not.
    const named = device === undefined ? [] : [kernelName(baseName(device).replace(/\.\d+$/, ''))];
    armed.push({
      name,
      identity,
      armed: state === 'active',
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
