import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import type { HostSettings } from '../../host/host-settings.ts';
import type { BootClock } from '../../time/clock.ts';
import type { HostSnapshot } from './host-snapshot.ts';
import { isWaitedFor, kmodLacks, type Lack, lacksOf, lackWords } from './lacks.ts';
import { putKmodsBack } from './put-kmods-back.ts';
import { IP_TIMEOUT_MS, readKmods, readLinks, readLinksAndRoutes, readSnapshot } from './read-snapshot.ts';
import { repairsOf } from './repairs.ts';

/** How long a card may take to appear after its driver is there: drivers probe in the background, and udev gives the name. */
const DEVICE_LIMIT_MS = 15_000;

/**
 * How long whatever runs the network (networkd, NetworkManager, ifupdown's hooks) has to bring back what it knows, after the cards are there.
 * A lease was back after 1.0 to 2.7 s on emulated hosts (kernel-facts 6); what it does not know is put back after this.
 */
const OTHERS_LIMIT_MS = 6_000;

/** Between two looks while others may still bring something back. */
const LOOK_EVERY_MS = 700;

/** Each pass repairs what the one before made possible (a route that needs an address that needs a link). */
const PASSES = 3;

/** What putting back needs of the host. */
export interface PutBackPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly settings: HostSettings;
  readonly clock: BootClock;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What was done about it. */
export interface PutBackReport {
  /** What this put back, one sentence each. */
  readonly restored: readonly string[];
  /** What is missing at the end. */
  readonly missing: readonly string[];
}

/** What may be done. */
export interface PutBackRights {
  /** `load`: only what is gone is loaded, as after a reboot. `none`: the kernel has oopsed. */
  readonly kmods: 'all' | 'load' | 'none';
  /** Make links, addresses, routes and settings again: not after a reboot, when the host's own configuration decides. */
  readonly network: boolean;
}

/**
 * Brings the host back to what the snapshot says: kmods in the order in which they were loaded, with the parameters recorded; then waits for
 * their devices and for whatever runs the network; then puts back what nobody else did; then compares. Doing it twice does no harm.
 *
 * @throws SnapshotError when the host cannot be looked at.
 */
export async function putBack(
  ports: PutBackPorts,
  before: HostSnapshot,
  rights: PutBackRights,
): Promise<PutBackReport> {
  const restored = new Set<string>();
  const kmods = before.kmods.map((kmod) => kmod.name);
  const look = async (): Promise<Lack[]> => lacksOf(before, await readSnapshot(ports.files, ports.exec, kmods));
  // What nobody brings back by itself need not be read while others are waited for (some hundred small files), and routes come after their links.
  const glance = async (): Promise<Lack[]> => {
    const awaited = { ...before, settings: [], rules: [] };
    const first = lacksOf({ ...awaited, routes: [] }, await readLinks(ports.files, ports.exec, kmods));
    return first.length > 0 ? first : lacksOf(awaited, await readLinksAndRoutes(ports.files, ports.exec, kmods));
  };
  if (rights.kmods !== 'none') {
    const wanted = kmodLacks(before.kmods, await readKmods(ports.files, kmods)).filter(
      (lack) => rights.kmods === 'all' || lack.kind === 'kmod',
    );
    for (const words of await putKmodsBack(ports, wanted)) restored.add(words);
  }
  await settled(ports, glance);
  let lacks = await look();
  for (let pass = 0; rights.network && pass < PASSES && lacks.length > 0; pass++) {
    for (const lack of lacks) {
      if (await repair(ports, lack)) restored.add(lackWords(lack));
    }
    lacks = await look();
  }
  const missing = lacks.map(lackWords);
  return { restored: [...restored].filter((words) => !missing.includes(words)), missing };
}

/** Waits until nothing is missing, or nobody can be expected to bring more. */
async function settled({ clock, sleep }: PutBackPorts, look: () => Promise<Lack[]>): Promise<void> {
  const devicesUntil = clock.nowMs() + DEVICE_LIMIT_MS;
  let lacks = await look();
  while (lacks.some(isWaitedFor) && clock.nowMs() < devicesUntil) {
    await sleep(LOOK_EVERY_MS);
    lacks = await look();
  }
  const othersUntil = clock.nowMs() + OTHERS_LIMIT_MS;
  while (lacks.length > 0 && clock.nowMs() < othersUntil) {
    await sleep(LOOK_EVERY_MS);
    lacks = await look();
  }
}

/** True when everything was accepted; whether it helped, the next look says. */
async function repair({ exec, settings }: PutBackPorts, lack: Lack): Promise<boolean> {
  const repairs = repairsOf(lack);
  for (const one of repairs) {
    if (one.kind === 'write') {
      if (!(await settings.write(one.path, one.value))) return false;
      continue;
    }
    const ran = await exec.run('ip', one.args, { timeoutMs: IP_TIMEOUT_MS });
    if (ran.ended.kind !== 'exited' || ran.ended.code !== 0) return false;
  }
  return repairs.length > 0;
}
