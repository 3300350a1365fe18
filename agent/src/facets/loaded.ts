import { Facet, type LoadedKmod } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { type ProcModule, ProcModulesReader } from '../kmod/proc-modules.ts';
import { readSysModuleIdentity, type SysModuleIdentity } from '../kmod/sys-module.ts';
import { whyNoLoadedKmods } from './host-kind.ts';
import { mapLimited, READ_WIDTH, type Observation } from './observation.ts';

/** One look at the loaded kmods. */
export interface LoadedLook {
  readonly observation: Observation<Facet.FACET_LOADED>;
  /** As /proc/modules has them; empty when incapable. */
  readonly kmods: readonly ProcModule[];
  /** Names whose identity was read again in this look. */
  readonly changed: readonly string[];
}

interface Known {
  readonly kmod: ProcModule;
  readonly identity: SysModuleIdentity;
  /** The same object for as long as the host says the same of it. */
  readonly said: LoadedKmod;
}

/**
 * Observes the facet `loaded`.
 *
 * INVARIANTS
 * - One look reads /proc/modules once (the same text gives the same observation again), and sysfs only for kmods that are new, differ in their line (refcount and users apart), or
 *   were named by `forget`, so a half-dead kmod costs no more than a live one: sysfs for all costs 600 to 1,000 times one read of /proc/modules (measured).
 * - A kmod that was replaced between two looks by another build of the same size is noticed through `forget` (a uevent) or, where no
 *   uevents are watched, `forgetAll` (every facet interval). What is forgotten during a look is read again by the next.
 */
export class LoadedObserver {
  readonly #files: HostFiles;
  readonly list = new ProcModulesReader();
  #known = new Map<string, Known>();
  /** Nothing is looked into while the kernel's list is the same. */
  #last: LoadedLook | undefined;
  #forgotten = new Set<string>();
  #allForgotten = false;

  constructor(files: HostFiles) {
    this.#files = files;
  }

  forget(name: string): void {
    this.#forgotten.add(name);
  }

  forgetAll(): void {
    this.#allForgotten = true;
  }

  async look(): Promise<LoadedLook> {
    // What is forgotten while this look is under way counts for the next one.
    const forgotten = this.#forgotten;
    const earlier = this.#allForgotten ? new Map<string, Known>() : this.#known;
    this.#forgotten = new Set();
    this.#allForgotten = false;
    const listed = await this.list.read(this.#files);
    if (listed.kind !== 'ok') {
      this.#known = new Map();
      this.#last = undefined;
      const reason = await whyNoLoadedKmods(this.#files, listed);
      return { observation: { kind: 'incapable', reason }, kmods: [], changed: [] };
    }
    const last = this.#last;
    if (last?.kmods === listed.value && earlier === this.#known && forgotten.size === 0)
      return { ...last, changed: [] };
    const known = new Map<string, Known>();
    const fresh: ProcModule[] = [];
    for (const kmod of listed.value) {
      const before = forgotten.has(kmod.name) ? undefined : earlier.get(kmod.name);
      if (before !== undefined && isSame(before.kmod, kmod)) known.set(kmod.name, { ...before, kmod });
      else fresh.push(kmod);
    }
    for (const one of await mapLimited(fresh, READ_WIDTH, (kmod) => this.#read(kmod))) known.set(one.kmod.name, one);
    this.#known = known;
    const kmods = [...known.values()].map(({ said }) => said).sort((a, b) => (a.name < b.name ? -1 : 1));
    const changed = fresh.map(({ name }) => name);
    this.#last = { observation: { kind: 'value', value: { kmods } }, kmods: listed.value, changed };
    return this.#last;
  }

  async #read(kmod: ProcModule): Promise<Known> {
    const identity = await readSysModuleIdentity(this.#files, kmod.name);
    return { kmod, identity, said: toLoadedKmod({ kmod, identity }) };
  }
}

function isSame(before: ProcModule, now: ProcModule): boolean {
  return now.state === before.state && now.size === before.size && now.taint === before.taint;
}

/** A kmod as the contract has it. */
export function toLoadedKmod({ kmod, identity }: Omit<Known, 'said'>): LoadedKmod {
  return {
    name: kmod.name,
    buildId: identity.buildId ?? '',
    size: kmod.size,
    taint: kmod.taint,
    srcversion: identity.srcversion ?? '',
    version: identity.version ?? '',
    state: kmod.state,
  };
}
