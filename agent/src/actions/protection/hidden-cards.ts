import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import type { Support } from './device-chain.ts';
import { supportsOfCard } from './driver-users.ts';

/** A network card whose interface lives in another network namespace. */
export interface HiddenCard {
  /** A folder below /sys/devices. */
  readonly device: string;
  readonly supports: readonly Support[];
}

/** Buses whose devices are no cards, and of which a large machine has thousands. */
const NO_CARDS = new Set([
  'memory',
  'cpu',
  'node',
  'container',
  'event_source',
  'workqueue',
  'clocksource',
  'clockevents',
]);

/**
 * Cards whose `net` folder is there and empty: sysfs hides interfaces of other network namespaces and keeps the folder (seen on 6.12: a virtio card
 * moved away with `ip link set netns`).
 */
export async function readHiddenCards(files: HostFiles, modules: readonly ProcModule[]): Promise<HiddenCard[]> {
  const buses = (valueOf(await files.list('/sys/bus')) ?? [])
    .map(({ name }) => name)
    .filter((name) => !NO_CARDS.has(name));
  const cards = await Promise.all(buses.map((bus) => cardsOfBus(files, `/sys/bus/${bus}/devices`, modules)));
  return cards.flat();
}

async function cardsOfBus(files: HostFiles, folder: string, modules: readonly ProcModule[]): Promise<HiddenCard[]> {
  const found: HiddenCard[] = [];
  for (const { name } of valueOf(await files.list(folder)) ?? []) {
    const interfaces = valueOf(await files.list(`${folder}/${name}/net`));
    const device = interfaces?.length === 0 ? valueOf(await files.realPath(`${folder}/${name}`)) : undefined;
    if (device === undefined) continue;
    const { hardware, parts, others } = await supportsOfCard(files, device, modules, false);
    found.push({ device, supports: [...hardware, ...parts, ...others] });
  }
  return found;
}
