import {
  Facet,
  FACET_WORDS,
  type HostHealth,
  type KmodAnswer,
  type KmodEvents,
  type KnownFacet,
} from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { Exec } from '../exec/exec.ts';
import type { HostFiles } from '../host/host-files.ts';
import type { BootClock } from '../time/clock.ts';
import { KmodWatch, type AttributionOf } from '../watch/kmod-watch.ts';
import { udevadmSource } from '../watch/udevadm-source.ts';
import type { UeventSource } from '../watch/uevent-source.ts';
import { UeventWatch } from '../watch/uevent-watch.ts';
import { readHostHealth } from '../health/host-health.ts';
import { answerNow } from './answers.ts';
import { AvailableObserver, type CollectAvailable } from './available.ts';
import { ConfigObserver } from './config.ts';
import { observeDevices } from './devices.ts';
import type { FacetSnapshot, Inventory, InventoryIntervals } from './inventory.ts';
import { LoadedObserver } from './loaded.ts';
import { ParametersObserver } from './parameters.ts';
import { Repeated } from './repeated.ts';
import { Snapshots } from './snapshots.ts';

/** A burst of uevents (one modprobe can load twenty kmods) is answered by one look, this long after its first. */
const UEVENT_SETTLE_MS = 30;

/** A driver binds its devices while and shortly after its kmod loads. */
const DEVICES_SETTLE_MS = 500;

/** How long the start waits for the first look at every facet; one that hangs reports itself as not observed. */
const START_LIMIT_MS = 20_000;

/** The part of the log that is used. */
export interface InventoryLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What the inventory is made of. */
export interface InventoryParts {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly clock: BootClock;
  readonly collectAvailable: CollectAvailable;
  /** Where kernel uevents come from; udevadm when left out. */
  readonly uevents?: UeventSource | undefined;
  readonly attributionOf?: AttributionOf;
  readonly log?: InventoryLog;
}

/** The inventory of this host. */
export function createInventory(parts: InventoryParts): Inventory {
  return new HostInventory(parts);
}

/**
 * Keeps the five facets up to date.
 *
 * INVARIANTS
 * - Each facet is observed by a loop of its own (`Repeated`): one that hangs grows old and is stale for the server; the others go on. (The sizes of
 *   kmod files are asked for at once, after the index beside them was read: HostFiles.statMany.)
 * - The time of an observation is taken before its first read.
 * - Kmod events are told before the change of `loaded` that they caused.
 * - An observer that throws makes its facet incapable, with the error as reason; it never ends the agent.
 */
class HostInventory implements Inventory {
  readonly #parts: InventoryParts;
  readonly #snapshots: Snapshots;
  readonly #loaded: LoadedObserver;
  readonly #config: ConfigObserver;
  readonly #parameters: ParametersObserver;
  readonly #available: AvailableObserver;
  readonly #kmodWatch: KmodWatch;
  readonly #uevents: UeventWatch;
  readonly #looks: Record<KnownFacet, Repeated>;
  readonly #changeListeners: ((changed: readonly FacetSnapshot[]) => void)[] = [];
  readonly #eventListeners: ((events: KmodEvents) => void)[] = [];
  #loadedNames: readonly string[] | undefined;
  /** Kmods whose parameters are to be read again; undefined means all. */
  #parametersAgain: Set<string> | undefined;
  #poll: NodeJS.Timeout | undefined;
  #polls = 0;
  /** Where uevents are watched, one poll of so many reads. */
  #quietPolls = 1;
  #round: NodeJS.Timeout | undefined;
  #settle: NodeJS.Timeout | undefined;
  #devicesSettle: NodeJS.Timeout | undefined;
  #parametersObservedAtMs = 0;
  #stopped = false;

  constructor(parts: InventoryParts) {
    const { files, clock } = parts;
    this.#config = new ConfigObserver(files);
    this.#parts = parts;
    this.#snapshots = new Snapshots(clock.nowMs());
    this.#loaded = new LoadedObserver(files);
    this.#parameters = new ParametersObserver(files);
    this.#available = new AvailableObserver(files, parts.collectAvailable);
    this.#kmodWatch = new KmodWatch(clock, parts.attributionOf ?? (() => undefined));
    this.#uevents = new UeventWatch(parts.exec, parts.uevents ?? udevadmSource, {
      onEvent: (event) => {
        this.#loaded.forget(event.kmod);
        this.#kmodWatch.onUevent(event);
        this.#settle ??= setTimeout(() => this.#lookAtLoaded(), UEVENT_SETTLE_MS);
      },
      onReady: () => {
        parts.log?.info({}, 'kernel uevents are watched');
        // What was replaced before now was told by nobody.
        this.#loaded.forgetAll();
        this.#lookAtLoaded();
      },
      onLost: (why) => {
        parts.log?.warn({ why }, 'the watch of kernel uevents broke off; /proc/modules is polled meanwhile');
        this.#kmodWatch.onLost();
        this.#loaded.forgetAll();
        this.#lookAtLoaded();
      },
    });
    this.#looks = {
      [Facet.FACET_LOADED]: this.#repeated(Facet.FACET_LOADED, (at) => this.#observeLoaded(at)),
      [Facet.FACET_PARAMETERS]: this.#repeated(Facet.FACET_PARAMETERS, (at) => this.#observeParameters(at)),
      [Facet.FACET_AVAILABLE]: this.#repeated(Facet.FACET_AVAILABLE, async (at) =>
        this.#snapshots.setAvailable(await this.#available.look(), at),
      ),
      [Facet.FACET_DEVICES]: this.#repeated(Facet.FACET_DEVICES, async (at) =>
        this.#snapshots.set(Facet.FACET_DEVICES, await observeDevices(files), at),
      ),
      [Facet.FACET_CONFIG]: this.#repeated(Facet.FACET_CONFIG, async (at) =>
        this.#snapshots.set(Facet.FACET_CONFIG, await this.#config.look(), at),
      ),
    };
  }

  async start(intervals: InventoryIntervals): Promise<void> {
    await this.#uevents.start();
    let limit: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (limit = setTimeout(resolve, START_LIMIT_MS)));
    await Promise.race([this.#lookAtAll(), late]);
    clearTimeout(limit);
    this.setIntervals(intervals);
  }

  setIntervals(intervals: InventoryIntervals): void {
    clearInterval(this.#poll);
    clearInterval(this.#round);
    this.#quietPolls = Math.max(1, Math.floor((intervals.quietPollMs ?? 0) / intervals.pollMs));
    this.#poll = setInterval(() => this.#pollIsDue(), intervals.pollMs);
    this.#round = setInterval(() => void this.#lookAtAll(), intervals.facetMs);
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of [this.#poll, this.#round, this.#settle, this.#devicesSettle]) clearTimeout(timer);
    this.#uevents.stop();
    return Promise.resolve();
  }

  snapshots(): readonly FacetSnapshot[] {
    return this.#snapshots.all();
  }

  onChange(listener: (changed: readonly FacetSnapshot[]) => void): void {
    this.#changeListeners.push(listener);
  }

  onKmodEvents(listener: (events: KmodEvents) => void): void {
    this.#eventListeners.push(listener);
  }

  async answer(kmods: readonly string[]): Promise<KmodAnswer[]> {
    const readers = { list: this.#loaded.list, config: this.#config };
    return answerNow(this.#parts.files, await this.#available.look(), kmods, readers);
  }

  health(): Promise<HostHealth> {
    return readHostHealth(this.#parts.files);
  }

  /**
   * Everything. What sysfs says of a loaded kmod (build id, versions) stays as long as the kmod does: where each change is told by its uevent it is
   * taken from an earlier look, else nothing is.
   */
  async #lookAtAll(): Promise<void> {
    if (!this.#uevents.ready) this.#loaded.forgetAll();
    this.#parametersAgain = undefined;
    await Promise.all([
      this.#looks[Facet.FACET_LOADED].trigger().then(() => this.#looks[Facet.FACET_PARAMETERS].trigger()),
      this.#looks[Facet.FACET_AVAILABLE].trigger(),
      this.#looks[Facet.FACET_DEVICES].trigger(),
      this.#looks[Facet.FACET_CONFIG].trigger(),
    ]);
  }

  #pollIsDue(): void {
    this.#polls += 1;
    // Uevents tell of each change at once; the poll then only vouches that none was missed.
    if (!this.#uevents.ready || this.#polls % this.#quietPolls === 0) this.#lookAtLoaded();
  }

  #lookAtLoaded(): void {
    clearTimeout(this.#settle);
    this.#settle = undefined;
    if (this.#stopped) return;
    void this.#looks[Facet.FACET_LOADED].trigger();
  }

  #repeated(facet: KnownFacet, observe: (atMs: number) => Promise<FacetSnapshot | undefined>): Repeated {
    return new Repeated(async () => {
      const atMs = this.#parts.clock.nowMs();
      let changed: FacetSnapshot | undefined;
      try {
        changed = await observe(atMs);
      } catch (error) {
        const reason = `${FACET_WORDS[facet]} could not be observed: ${messageOf(error)}`;
        this.#parts.log?.warn({ facet: FACET_WORDS[facet], error }, 'an observer failed');
        changed = this.#snapshots.set(facet, { kind: 'incapable', reason }, atMs);
      }
      if (changed !== undefined && !this.#stopped) for (const listener of this.#changeListeners) listener([changed]);
    });
  }

  async #observeLoaded(atMs: number): Promise<FacetSnapshot | undefined> {
    this.#kmodWatch.beginLook();
    const look = await this.#loaded.look();
    if (look.observation.kind === 'incapable') {
      this.#kmodWatch.onUnreadable();
      this.#loadedNames = undefined;
      return this.#snapshots.set(Facet.FACET_LOADED, look.observation, atMs);
    }
    const names = look.kmods.map((kmod) => kmod.name);
    const cameOrWent = look.changed.length > 0 || names.length !== this.#loadedNames?.length;
    this.#loadedNames = names;
    const events = this.#kmodWatch.onLook(look.kmods);
    if (events !== undefined) for (const listener of this.#eventListeners) listener(events);
    if (cameOrWent) this.#followChange(look.changed);
    return this.#snapshots.set(Facet.FACET_LOADED, look.observation, atMs);
  }

  /** What else changes when kmods come and go. */
  #followChange(changed: readonly string[]): void {
    if (this.#stopped) return;
    for (const name of changed) this.#parametersAgain?.add(name);
    void this.#looks[Facet.FACET_PARAMETERS].trigger();
    clearTimeout(this.#devicesSettle);
    this.#devicesSettle = setTimeout(() => void this.#looks[Facet.FACET_DEVICES].trigger(), DEVICES_SETTLE_MS);
  }

  async #observeParameters(atMs: number): Promise<FacetSnapshot | undefined> {
    const loaded = this.#loadedNames;
    if (loaded === undefined) {
      const state = this.#snapshots.get(Facet.FACET_LOADED)?.state;
      const reason = state?.kind === 'incapable' ? state.reason : 'the loaded kmods are not known yet';
      return this.#snapshots.set(Facet.FACET_PARAMETERS, { kind: 'incapable', reason }, atMs);
    }
    const again = this.#parametersAgain;
    this.#parametersAgain = new Set();
    const observation = await this.#parameters.look(loaded, again && [...again]);
    // A look at some kmods does not make the others' values younger.
    if (again === undefined) this.#parametersObservedAtMs = atMs;
    return this.#snapshots.set(Facet.FACET_PARAMETERS, observation, this.#parametersObservedAtMs);
  }
}
