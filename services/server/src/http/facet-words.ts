import { BlockRung, Facet, KmodState } from '@modfleet/proto';
import type { z } from 'zod';
import type { facetWord, rungWord } from './common.schema.ts';

export type FacetWord = z.output<typeof facetWord>;
export type RungWord = z.output<typeof rungWord>;

/** Facets in the order in which answers list them, with their numbers in the contract. */
export const FACET_NUMBERS = {
  loaded: Facet.FACET_LOADED,
  parameters: Facet.FACET_PARAMETERS,
  available: Facet.FACET_AVAILABLE,
  devices: Facet.FACET_DEVICES,
  config: Facet.FACET_CONFIG,
} as const satisfies Record<FacetWord, Facet>;

export const FACET_WORDS = [
  'loaded',
  'parameters',
  'available',
  'devices',
  'config',
] as const satisfies readonly FacetWord[];

const RUNG_WORDS: Readonly<Record<number, RungWord>> = {
  [BlockRung.BLOCK_RUNG_BLACKLIST]: 'blacklist',
  [BlockRung.BLOCK_RUNG_INSTALL]: 'install',
  [BlockRung.BLOCK_RUNG_INSTALL_INEFFECTIVE]: 'install_ineffective',
  [BlockRung.BLOCK_RUNG_CMDLINE_BLACKLIST]: 'cmdline_blacklist',
  [BlockRung.BLOCK_RUNG_CMDLINE_KERNEL]: 'cmdline_kernel',
  [BlockRung.BLOCK_RUNG_CMDLINE_INITCALL]: 'cmdline_initcall',
  [BlockRung.BLOCK_RUNG_MODULES_DISABLED]: 'modules_disabled',
  [BlockRung.BLOCK_RUNG_INITRAMFS]: 'initramfs',
  [BlockRung.BLOCK_RUNG_ALIAS]: 'alias',
};

/** Undefined for a rung that this version does not know. */
export function knownRungWord(rung: number): RungWord | undefined {
  return RUNG_WORDS[rung];
}

/** @throws Error for a rung that the contract does not have: ingest refuses those. */
export function rungWordOf(rung: number): RungWord {
  const word = knownRungWord(rung);
  if (word === undefined) throw new Error(`unexpected block rung ${rung}`);
  return word;
}

/** Null where the kernel shows no state. */
export function kmodStateWord(state: unknown): 'live' | 'loading' | 'unloading' | null {
  switch (state) {
    case KmodState.KMOD_STATE_LIVE:
    case 'live':
      return 'live';
    case KmodState.KMOD_STATE_LOADING:
    case 'loading':
      return 'loading';
    case KmodState.KMOD_STATE_UNLOADING:
    case 'unloading':
      return 'unloading';
    default:
      return null;
  }
}

/** Nothing said is null in the API, an empty text in the contract. */
export function orNull(text: string | null | undefined): string | null {
  return text === undefined || text === null || text === '' ? null : text;
}

export function isoOrNull(time: Date | null | undefined): string | null {
  return time === undefined || time === null ? null : time.toISOString();
}

/** Milliseconds from `observedAt` to `asOf`, both by Postgres's clock; never negative. */
export function ageMs(asOf: Date, observedAt: Date | null): number | null {
  return observedAt === null ? null : Math.max(0, asOf.getTime() - observedAt.getTime());
}
