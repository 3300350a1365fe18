import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import type { HostSettings } from '../../host/host-settings.ts';
import type { HostWrites } from '../../host/host-writes.ts';
import type { BootClock } from '../../time/clock.ts';
import type { HostSnapshot } from './host-snapshot.ts';
import { isHalfway, isMomentary, isWaitedFor, type Lack, lackName, lackWords } from './lack.ts';
import { kmodLacks, lacksOf } from './lacks.ts';
import { putKmodsBack } from './put-kmods-back.ts';
import { readKmods } from './read-kmods.ts';
import { ALL_PARTS, lookAtHost, type Part, readSettings, seenOf } from './read-snapshot.ts';
import { isRepairable, repairAll } from './repair-all.ts';

/** How long a card may take to appear after its driver is there: drivers probe in the background, and udev gives the name. */
const DEVICE_LIMIT_MS = 15_000;

/**
 * How long whatever runs the network (networkd, NetworkManager, ifupdown's hooks) has to bring back what it knows, after the cards are there.
 * A lease was back after 1.0 to 2.7 s on emulated hosts (kernel-facts 6); what it does not know is put back after this.
 */
const OTHERS_LIMIT_MS = 6_000;

/** Between two looks while something may still come. */
const LOOK_EVERY_MS = 700;

/**
 * Each pass repairs what the one before made possible: a link, its members, its address, a route through that, one with this address as its source.
 * An IPv6 address is none to send from before it is proven to be nobody else's, 1 to 2 s after its link is up (RFC 4862, 5.4): the pauses are longer.
 * What is still refused after the first three, and after that time, will be.
 */
const PASSES = 6;
const SURE_PASSES = 3;
const PASSES_LIMIT_MS = 6_000;

/**
 * How long a routine of a kmod that has not returned is waited for, from the beginning. Some take half a minute; others never return, and
 * those have to be reported too: within 180 s by modfleet-revert.service, and within 120 s where the server waits for it (confirm-window.md).
 */
const HALFWAY_LIMIT_MS = 45_000;

/** What putting back needs of the host. */
export interface PutBackPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly settings: HostSettings;
  /** Undefined: values of kmods come back with a load only. */
  readonly writes?: Pick<HostWrites, 'setParameter'> | undefined;
  readonly clock: BootClock;
  readonly sleep: (ms: number) => Promise<void>;
}

/** What was done about it. */
export interface PutBackReport {
  /** What this put back, one sentence each. */
  readonly restored: readonly string[];
  /** What is missing at the end, and what could not be looked at. */
  readonly missing: readonly string[];
}

/** What may be done. */
export interface PutBackRights {
  /** `load`: only what is gone is loaded, as after a reboot. `none`: the kernel has oopsed. */
  readonly kmods: 'all' | 'load' | 'none';
  /** Make links, addresses, routes and settings again: not after a reboot, when the host's own configuration decides. */
  readonly network: boolean;
}

/** What is lacking of what could be seen, and why the rest could not. */
interface Lacking {
  readonly lacks: readonly Lack[];
  readonly unread: ReadonlyMap<Part, string>;
}

/**
 * Brings the host back to what the snapshot says: kmods in the order in which they were loaded, with the parameters recorded; then waits for
 * their devices and for whatever runs the network; then puts back what nobody else did; then compares. A kmod of which a routine has not returned
 * does not hold up the rest: it is waited for afterwards, and then all of it is done again. Doing it twice does no harm.
 */
export async function putBack(
  ports: PutBackPorts,
  before: HostSnapshot,
  rights: PutBackRights,
): Promise<PutBackReport> {
  const restored: Restored = new Map();
  const untilMs = ports.clock.nowMs() + HALFWAY_LIMIT_MS;
  let { lacks, unread } = await putBackOnce(ports, before, rights, restored);
  while (rights.kmods !== 'none' && lacks.some(isHalfway) && (await isOver(ports, before, untilMs))) {
    ({ lacks, unread } = await putBackOnce(ports, before, rights, restored));
  }
  // Another boot, another moment.
  const left = lacks.filter((lack) => rights.network || !isMomentary(lack));
  const missing = new Set(left.map(lackName));
  return {
    restored: [...restored].flatMap(([name, part]) => (missing.has(name) || isUnread(part, unread) ? [] : [name])),
    missing: [...[...unread.values()].map((why) => `not known: ${why}`), ...left.map(lackWords)],
  };
}

/** What was accepted: whether it helped, the last look says, if it sees that part. */
type Restored = Map<string, Part | undefined>;

function isUnread(part: Part | undefined, unread: ReadonlyMap<Part, string>): boolean {
  return part !== undefined && unread.has(part);
}

async function putBackOnce(
  ports: PutBackPorts,
  before: HostSnapshot,
  rights: PutBackRights,
  restored: Restored,
): Promise<Lacking> {
  const kmods = before.kmods.map((kmod) => kmod.name);
  if (rights.kmods !== 'none') {
    const wanted = kmodLacks(before.kmods, await readKmods(ports.files, kmods)).filter(
      (lack) => rights.kmods === 'all' || lack.kind === 'kmod',
    );
    for (const name of await putKmodsBack(ports, before.kmods, wanted)) restored.set(name, undefined);
  }
  // Which member is active, nobody else puts back.
  await settled(ports, async () => (await glance(ports, before)).filter((lack) => !isMomentary(lack)));
  let seen = await look(ports, before);
  const remade = new Set<string>();
  const untilMs = ports.clock.nowMs() + PASSES_LIMIT_MS;
  for (let pass = 0; rights.network && pass < PASSES && isRepairable(seen.lacks); pass++) {
    if (pass >= SURE_PASSES && ports.clock.nowMs() >= untilMs) break;
    if (pass > 0) {
      await ports.sleep(LOOK_EVERY_MS);
      seen = await look(ports, before);
    }
    for (const lack of await repairAll(ports, seen.lacks, remade)) restored.set(lackName(lack), partOf(lack));
    seen = await look(ports, before);
  }
  return seen;
}

/** Everything of the snapshot that can be seen. */
async function look(ports: PutBackPorts, before: HostSnapshot): Promise<Lacking> {
  const kmods = before.kmods.map((kmod) => kmod.name);
  const { now, unread } = await lookAtHost(ports, kmods, ALL_PARTS);
  const settings = await readSettings(ports.files, before);
  return { lacks: lacksOf(seenOf(before, new Set(unread.keys())), { ...now, settings }), unread };
}

/**
 * What others bring back by themselves: settings, which nobody does, need not be read while they are waited for (some hundred small files), and
 * routes and rules come after their links.
 */
async function glance(ports: PutBackPorts, before: HostSnapshot): Promise<readonly Lack[]> {
  const kmods = before.kmods.map((kmod) => kmod.name);
  const awaited = { ...before, settings: [] };
  const first = await lookAtHost(ports, kmods, ['links']);
  const links = lacksOf({ ...seenOf(awaited, new Set(first.unread.keys())), routes: [], rules: [] }, first.now);
  if (links.length > 0) return links;
  const { now, unread } = await lookAtHost(ports, kmods, ALL_PARTS);
  return lacksOf(seenOf(awaited, new Set(unread.keys())), now);
}

/** Waits until nothing is missing, or nobody can be expected to bring more. */
async function settled({ clock, sleep }: PutBackPorts, see: () => Promise<readonly Lack[]>): Promise<void> {
  const devicesUntil = clock.nowMs() + DEVICE_LIMIT_MS;
  let lacks = await see();
  while (lacks.some(isWaitedFor) && clock.nowMs() < devicesUntil) {
    await sleep(LOOK_EVERY_MS);
    lacks = await see();
  }
  const othersUntil = clock.nowMs() + OTHERS_LIMIT_MS;
  while (lacks.length > 0 && clock.nowMs() < othersUntil) {
    await sleep(LOOK_EVERY_MS);
    lacks = await see();
  }
}

/** Waits for the routines of all kmods; false when there is no time left. */
async function isOver({ files, clock, sleep }: PutBackPorts, before: HostSnapshot, untilMs: number): Promise<boolean> {
  const kmods = before.kmods.map((kmod) => kmod.name);
  while (clock.nowMs() < untilMs) {
    if (!kmodLacks(before.kmods, await readKmods(files, kmods)).some(isHalfway)) return true;
    await sleep(LOOK_EVERY_MS);
  }
  return false;
}

/** What shows whether it is lacking; undefined for what is read from files. */
function partOf(lack: Lack): Part | undefined {
  if (lack.kind === 'setting') return undefined;
  if (lack.kind === 'route') return `routes ${lack.route.family}`;
  return lack.kind === 'rule' ? `rules ${lack.rule.family}` : 'links';
}
