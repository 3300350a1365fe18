/**
 * INVARIANTS
 * - What the server is told to hold (`told`) is a digest that it acknowledged in Welcome, or that went out on this connection, in order.
 * - A change is sent only against `told`; without one, or when the facet travels whole, the digest alone goes out and the server asks if it lacks it.
 * - At most one facet's bytes are cut into chunks at a time per facet, and a value that was overtaken is not sent to its end.
 * - Nothing here waits: values are collected beside the connection (`available` may take a minute), and `wake` is called when one is ready.
 */
import {
  FACET_CHUNK_BYTES,
  FACET_MAX_BYTES,
  FACET_WORDS,
  Facet,
  chunksOf,
  diffFacets,
  isKnownFacet,
  sameDigest,
  sha256,
} from '@modfleet/proto';
import type { FacetUpdate, KnownFacet } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { FacetSnapshot } from '../facets/inventory.ts';
import type { BootClock } from '../time/clock.ts';

type Content = NonNullable<FacetUpdate['content']>;
type ValueSnapshot = FacetSnapshot & { readonly state: { readonly kind: 'value' } };

interface Slot {
  current: FacetSnapshot;
  /** What the server holds for this host, as far as we told it. */
  told: ValueSnapshot | undefined;
  /** Set while contents are being made: a newer change makes them anew. */
  preparing: { readonly snapshot: ValueSnapshot; readonly whole: boolean } | undefined;
  /** The server asked for the whole. */
  wanted: boolean;
  ready: Ready | undefined;
}

/** What is to be sent: the next piece, and those after it. */
interface Ready {
  readonly snapshot: ValueSnapshot;
  next: Content;
  readonly rest: Iterator<Content>;
}

export interface FacetSenderOptions {
  readonly bootClock: BootClock;
  /** Something is ready to be sent. */
  readonly wake: () => void;
  /** Why a facet's value could not be sent now. */
  readonly onTrouble: (facet: KnownFacet, reason: string) => void;
}

/** Keeps the server's copy of each facet up to date over one connection. */
export class FacetSender {
  readonly #options: FacetSenderOptions;
  readonly #slots = new Map<KnownFacet, Slot>();

  /** `announced` is what Hello said, `wanted` what Welcome asked for, `current` what is true now. */
  constructor(
    options: FacetSenderOptions,
    announced: readonly FacetSnapshot[],
    wanted: readonly Facet[],
    current: readonly FacetSnapshot[],
  ) {
    this.#options = options;
    for (const snapshot of announced) {
      if (!isKnownFacet(snapshot.facet)) continue;
      const asked = wanted.includes(snapshot.facet);
      const told = !asked && isValue(snapshot) ? snapshot : undefined;
      this.#slots.set(snapshot.facet, {
        current: snapshot,
        told,
        preparing: undefined,
        wanted: asked,
        ready: undefined,
      });
    }
    this.changed(current);
    for (const facet of this.#slots.keys()) this.#prepare(facet);
  }

  /** Newer observations. */
  changed(snapshots: readonly FacetSnapshot[]): void {
    for (const snapshot of snapshots) {
      if (!isKnownFacet(snapshot.facet)) continue;
      const slot = this.#slots.get(snapshot.facet);
      if (slot === undefined) {
        this.#slots.set(snapshot.facet, {
          current: snapshot,
          told: undefined,
          preparing: undefined,
          wanted: false,
          ready: undefined,
        });
      } else if (!sameContent(slot.current, snapshot)) {
        slot.current = snapshot;
        slot.ready = undefined;
        // The host cannot report it now; whatever the server held is no longer a base.
        if (!isValue(snapshot)) slot.told = undefined;
      } else {
        slot.current = snapshot;
      }
      this.#prepare(snapshot.facet);
    }
  }

  /** The server asks for whole values. */
  request(facets: readonly Facet[]): void {
    for (const facet of facets) {
      if (!isKnownFacet(facet)) continue;
      const slot = this.#slots.get(facet);
      if (slot === undefined) continue;
      // Already on its way: `available` may take minutes, and asking again must not begin it again.
      if (slot.preparing?.whole === true && sameContent(slot.preparing.snapshot, slot.current)) continue;
      slot.wanted = true;
      slot.ready = undefined;
      this.#prepare(facet);
    }
  }

  /** The next piece to send, taken out. */
  shift(): FacetUpdate | undefined {
    for (const [facet, slot] of this.#slots) {
      if (slot.ready === undefined) continue;
      const { snapshot, next: content, rest } = slot.ready;
      const after = rest.next();
      if (after.done === true) {
        slot.ready = undefined;
        slot.told = snapshot;
        this.#prepare(facet);
      } else {
        slot.ready.next = after.value;
      }
      return {
        facet,
        digest: Buffer.from(snapshot.state.digest),
        observedAgeMs: Math.max(0, this.#options.bootClock.nowMs() - slot.current.observedAtMs),
        content,
      };
    }
    return undefined;
  }

  /** Begins to make what must be sent of a facet, unless that is under way or there is nothing to say. */
  #prepare(facet: KnownFacet): void {
    const slot = this.#slots.get(facet);
    if (slot === undefined || slot.preparing !== undefined || slot.ready !== undefined) return;
    const { current, told, wanted } = slot;
    if (!isValue(current)) return;
    if (!wanted && told !== undefined && sameContent(told, current)) return;
    slot.preparing = { snapshot: current, whole: wanted };
    slot.wanted = false;
    const making = wanted ? wholeOf(current) : changeOf(facet, told, current);
    making
      .then(
        (contents) => {
          const first = contents.next();
          if (first.done === true || slot.wanted || !sameContent(slot.current, current)) return;
          slot.ready = { snapshot: current, next: first.value, rest: contents };
        },
        (error: unknown) => {
          this.#options.onTrouble(facet, messageOf(error));
          // Not tried again by itself: the server asks again, or the value changes.
          slot.told = current;
        },
      )
      .finally(() => {
        slot.preparing = undefined;
        this.#prepare(facet);
        if (slot.ready !== undefined) this.#options.wake();
      })
      .catch(() => undefined);
  }
}

function isValue(snapshot: FacetSnapshot): snapshot is ValueSnapshot {
  return snapshot.state.kind === 'value';
}

/** Whether two snapshots say the same of the host; when it was observed does not count. */
export function sameContent(a: FacetSnapshot, b: FacetSnapshot): boolean {
  if (a.state.kind === 'value') return b.state.kind === 'value' && sameDigest(a.state.digest, b.state.digest);
  return b.state.kind === 'incapable' && a.state.reason === b.state.reason;
}

async function wholeOf(snapshot: ValueSnapshot): Promise<Iterator<Content>> {
  const bytes = await bytesOf(snapshot);
  if (bytes.length <= FACET_CHUNK_BYTES) return [{ $case: 'whole', value: Buffer.from(bytes) } as const].values();
  return pieces(bytes);
}

function* pieces(bytes: Uint8Array): Generator<Content> {
  for (const chunk of chunksOf(bytes)) yield { $case: 'chunk', value: chunk };
}

async function changeOf(
  facet: KnownFacet,
  told: ValueSnapshot | undefined,
  current: ValueSnapshot,
): Promise<Iterator<Content>> {
  const digestOnly: Content = { $case: 'digestOnly', value: {} };
  // `available` is shared by all hosts of a kernel and its bytes are dear: the server most likely has them.
  if (told === undefined || facet === Facet.FACET_AVAILABLE) return [digestOnly].values();
  const change = diffFacets(facet, await bytesOf(told), await bytesOf(current));
  if (change === undefined || change.upserted.length > FACET_CHUNK_BYTES) return [digestOnly].values();
  return [{ $case: 'delta', value: { baseDigest: Buffer.from(told.state.digest), ...change } } as const].values();
}

async function bytesOf(snapshot: ValueSnapshot): Promise<Uint8Array> {
  const bytes = await snapshot.state.bytes();
  const word = isKnownFacet(snapshot.facet) ? FACET_WORDS[snapshot.facet] : String(snapshot.facet);
  if (bytes.length > FACET_MAX_BYTES)
    throw new Error(`facet ${word} has ${bytes.length} bytes, allowed are ${FACET_MAX_BYTES}`);
  if (snapshot.facet !== Facet.FACET_AVAILABLE && !sameDigest(sha256(bytes), snapshot.state.digest)) {
    throw new Error(`facet ${word} changed while it was collected`);
  }
  return bytes;
}
