import {
  AvailableFacet,
  ConfigFacet,
  DevicesFacet,
  LoadedFacet,
  ParametersFacet,
} from '../gen/modfleet/types/v1/kmod.ts';
import { Facet } from '../gen/modfleet/types/v1/facet.ts';

/** The message that carries each facet's value. */
export interface FacetValues {
  [Facet.FACET_LOADED]: LoadedFacet;
  [Facet.FACET_PARAMETERS]: ParametersFacet;
  [Facet.FACET_AVAILABLE]: AvailableFacet;
  [Facet.FACET_DEVICES]: DevicesFacet;
  [Facet.FACET_CONFIG]: ConfigFacet;
}

/** A facet that a host can report: all but FACET_UNSPECIFIED. */
export type KnownFacet = keyof FacetValues;

/** Every known facet, in the order of their numbers. */
export const KNOWN_FACETS: readonly KnownFacet[] = [
  Facet.FACET_LOADED,
  Facet.FACET_PARAMETERS,
  Facet.FACET_AVAILABLE,
  Facet.FACET_DEVICES,
  Facet.FACET_CONFIG,
];

/** The glossary's word for each facet, as API, CLI and logs use it. */
export const FACET_WORDS = {
  [Facet.FACET_LOADED]: 'loaded',
  [Facet.FACET_PARAMETERS]: 'parameters',
  [Facet.FACET_AVAILABLE]: 'available',
  [Facet.FACET_DEVICES]: 'devices',
  [Facet.FACET_CONFIG]: 'config',
} as const satisfies Record<KnownFacet, string>;

/** One of the words above. */
export type FacetWord = (typeof FACET_WORDS)[KnownFacet];

/** Whether a number from the wire names a facet that this build knows. */
export function isKnownFacet(facet: number): facet is KnownFacet {
  return Object.hasOwn(FACET_WORDS, facet);
}

/**
 * How a facet's value becomes one canonical message.
 *
 * A facet with an entry list is a map: entries are keyed, sorted by key and unique, so the order in which a host read them changes nothing. A facet
 * without one (`config`) keeps the order of its lines, because modprobe reads them in order, and travels whole.
 */
export interface FacetShape<V, E> {
  encode(value: V): Uint8Array;
  decode(bytes: Uint8Array): V;
  /** The same value with its unordered lists sorted; entries are handled by `entries`. */
  normalise(value: V): V;
  readonly entries:
    | {
        of(value: V): readonly E[];
        with(value: V, entries: E[]): V;
        keyOf(entry: E): string;
        normalise(entry: E): E;
        /** Field number of the entries in the message. */
        readonly field: number;
        /** Field numbers of what makes the key of an entry, joined with a slash. */
        readonly keyFields: readonly number[];
      }
    | undefined;
}
