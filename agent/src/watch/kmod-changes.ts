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
 * - A kmod that is Loading is not loaded yet; one that is Unloading still is.
 */
export class KmodChanges {
  #loaded: Set<string> | undefined;

  /** A completed load or removal, as the kernel said it. Undefined when it was known. Before the first poll nothing is told. */
  onUevent(action: 'add' | 'remove', kmod: string): KmodChange | undefined {
    if (this.#loaded === undefined || this.#loaded.has(kmod) === (action === 'add')) return undefined;
    return action === 'add' ? this.#add(this.#loaded, kmod, 'uevent') : this.#remove(this.#loaded, kmod, 'uevent');
  }

  /** What a poll shows that was not told: `live` are initialised, `present` are all on the list. The first poll tells nothing. */
  onPoll(live: readonly string[], present: readonly string[]): KmodChange[] {
    const loaded = this.#loaded;
    if (loaded === undefined) {
      this.#loaded = new Set(live);
      return [];
    }
    const still = new Set(present);
    const gone = [...loaded].filter((kmod) => !still.has(kmod)).map((kmod) => this.#remove(loaded, kmod, 'poll'));
    const came = live.filter((kmod) => !loaded.has(kmod)).map((kmod) => this.#add(loaded, kmod, 'poll'));
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
