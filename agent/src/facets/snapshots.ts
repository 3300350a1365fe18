import {
  encodeFacet,
  Facet,
  FacetEncoder,
  FACET_WORDS,
  KNOWN_FACETS,
  sameDigest,
  sha256,
  type FacetValues,
  type KnownFacet,
} from '@modfleet/proto';
import type { AvailableLook } from './available.ts';
import type { FacetSnapshot } from './inventory.ts';
import type { Observation } from './observation.ts';

/** The last observation of each facet, encoded. */
export class Snapshots {
  readonly #byFacet = new Map<Facet, FacetSnapshot>();
  /** What each facet's bytes were made of. */
  readonly #observed = new Map<Facet, unknown>();
  /** Of `loaded` one entry in a hundred changes, every few seconds on a busy host. */
  readonly #loaded = new FacetEncoder(Facet.FACET_LOADED);

  /** `nowMs` by boot time. Before its first observation a facet is incapable, and says so. */
  constructor(nowMs: number) {
    for (const facet of KNOWN_FACETS) {
      const reason = `${FACET_WORDS[facet]} was not observed yet`;
      this.#byFacet.set(facet, { facet, observedAtMs: nowMs, state: { kind: 'incapable', reason } });
    }
  }

  all(): readonly FacetSnapshot[] {
    return [...this.#byFacet.values()];
  }

  get(facet: KnownFacet): FacetSnapshot | undefined {
    return this.#byFacet.get(facet);
  }

  /** Keeps an observation made at `observedAtMs`; returns the snapshot when it says something new. */
  set<F extends KnownFacet>(facet: F, observation: Observation<F>, observedAtMs: number): FacetSnapshot | undefined {
    if (observation.kind === 'incapable') return this.#keep({ facet, observedAtMs, state: observation });
    const before = this.#observed.get(facet);
    const standing = this.#byFacet.get(facet);
    // The very same look again: nothing to encode.
    if (before === observation.value && standing?.state.kind === 'value')
      return this.#keep({ ...standing, observedAtMs });
    this.#observed.set(facet, observation.value);
    const value = observation.value as FacetValues[F];
    const bytes =
      facet === Facet.FACET_LOADED
        ? this.#loaded.encode(value as FacetValues[Facet.FACET_LOADED])
        : encodeFacet<F>(facet, value);
    return this.#keep({
      facet,
      observedAtMs,
      state: { kind: 'value', digest: sha256(bytes), bytes: () => Promise.resolve(bytes) },
    });
  }

  /** The same for `available`, whose content is collected only when asked for. */
  setAvailable(look: AvailableLook, observedAtMs: number): FacetSnapshot | undefined {
    const state = look.kind === 'incapable' ? look : { kind: look.kind, digest: look.digest, bytes: look.bytes };
    return this.#keep({ facet: Facet.FACET_AVAILABLE, observedAtMs, state });
  }

  #keep(snapshot: FacetSnapshot): FacetSnapshot | undefined {
    const before = this.#byFacet.get(snapshot.facet);
    this.#byFacet.set(snapshot.facet, snapshot);
    return before !== undefined && saysTheSame(before.state, snapshot.state) ? undefined : snapshot;
  }
}

function saysTheSame(before: FacetSnapshot['state'], now: FacetSnapshot['state']): boolean {
  if (before.kind === 'value') return now.kind === 'value' && sameDigest(before.digest, now.digest);
  return now.kind === 'incapable' && before.reason === now.reason;
}
