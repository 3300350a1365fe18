import { KmodEventKind } from '@modfleet/proto';

/** One kmod that came or went, and by what it was noticed. */
export interface KmodChange {
  readonly kmod: string;
  readonly kind: KmodEventKind;
  readonly source: 'uevent' | 'poll';
}

/**
 * Turns two sources into one story: kernel uevents, which come after init and exit returned and miss nothing but failures and what is stuck,
 * and polls of /proc/modules, which see what is there now.
 *
 * INVARIANTS
 * - For each kmod, changes alternate: loaded, unloaded, loaded. What one source has told, the other does not tell again, in whatever order
 *   the two arrive.
 * - A kmod that loads and unloads between two polls is told of, where uevents are.
 * - What a poll read may be older than a uevent that came while it was read: of such a kmod that poll says nothing, the next one does.
 * - A kmod that is Loading is not loaded yet; one that is Unloading still is.
 */
export class KmodChanges {
  #loaded: Set<string> | undefined;
  /** Kmods of uevents since the poll under way began. */
  readonly #newer = new Set<string>();

  /** A completed load or removal, as the kernel said it. Undefined when it was known. Before the first poll nothing is told. */
  onUevent(action: 'add' | 'remove', kmod: string): KmodChange | undefined {
    this.#newer.add(kmod);
    if (this.#loaded === undefined || this.#loaded.has(kmod) === (action === 'add')) return undefined;
    return action === 'add' ? this.#add(this.#loaded, kmod, 'uevent') : this.#remove(this.#loaded, kmod, 'uevent');
  }

  /** A poll is about to read. */
  beginPoll(): void {
    this.#newer.clear();
  }

  /** What a poll shows that was not told: `live` are initialised, `present` are all on the list. The first poll tells nothing. */
  onPoll(live: readonly string[], present: readonly string[]): KmodChange[] {
    const loaded = this.#loaded;
    if (loaded === undefined) {
      this.#loaded = new Set(live);
      return [];
    }
    const still = new Set(present);
    const gone = [...loaded]
      .filter((kmod) => !still.has(kmod) && !this.#newer.has(kmod))
      .map((kmod) => this.#remove(loaded, kmod, 'poll'));
    const came = live
      .filter((kmod) => !loaded.has(kmod) && !this.#newer.has(kmod))
      .map((kmod) => this.#add(loaded, kmod, 'poll'));
    return [...gone, ...came];
  }

  /** The list cannot be read any more: what comes next is not compared with what was. */
  forget(): void {
    this.#loaded = undefined;
  }

  #add(loaded: Set<string>, kmod: string, source: KmodChange['source']): KmodChange {
    loaded.add(kmod);
    return { kmod, kind: KmodEventKind.KMOD_EVENT_KIND_LOADED, source };
  }

  #remove(loaded: Set<string>, kmod: string, source: KmodChange['source']): KmodChange {
    loaded.delete(kmod);
    return { kmod, kind: KmodEventKind.KMOD_EVENT_KIND_UNLOADED, source };
  }
}
