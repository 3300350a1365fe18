import {
  BlockRung,
  decodeFacet,
  encodeFacet,
  Facet,
  KmodState,
  sha256,
  type FacetValues,
  type KnownFacet,
} from '@modfleet/proto';
import type { Observation } from '../facets/observation.ts';
import type { HostReport } from './host-report.ts';

/** Every facet as the server would get it, digests in hex, enum values as lower-case words. Collecting `available` takes seconds. */
export async function inspectJson(report: HostReport): Promise<object> {
  const { available } = report;
  return {
    host: { hostname: report.hostname ?? null, os: report.os ?? null, kernelRelease: report.kernelRelease ?? null },
    facets: {
      loaded: facetJson(Facet.FACET_LOADED, report.loaded),
      parameters: facetJson(Facet.FACET_PARAMETERS, report.parameters),
      available:
        available.kind === 'incapable'
          ? available
          : {
              kind: 'value',
              digest: hex(available.digest),
              value: words(decodeFacet(Facet.FACET_AVAILABLE, await available.bytes())),
            },
      devices: facetJson(Facet.FACET_DEVICES, report.devices),
      config: facetJson(Facet.FACET_CONFIG, report.config),
    },
  };
}

function facetJson<F extends KnownFacet>(facet: F, observation: Observation<F>): object {
  if (observation.kind === 'incapable') return observation;
  const bytes = encodeFacet<F>(facet, observation.value as FacetValues[F]);
  return { kind: 'value', digest: hex(sha256(bytes)), value: words(decodeFacet(facet, bytes)) };
}

/** The value with the numbers of its enums as words. */
function words(value: object): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, part: unknown) => {
      if (key === 'state' && typeof part === 'number') return stateWord(part);
      if (key === 'rung' && typeof part === 'number') return rungWord(part);
      return part;
    }),
  );
}

/** live, loading, unloading, unspecified. */
export function stateWord(state: number): string {
  return wordOf(KmodState, state, 'KMOD_STATE_');
}

/** blacklist, install, install_ineffective, cmdline_kernel, … */
export function rungWord(rung: number): string {
  return wordOf(BlockRung, rung, 'BLOCK_RUNG_');
}

function wordOf(words: Readonly<Record<string, number>>, value: number, prefix: string): string {
  const name = Object.keys(words).find((key) => words[key] === value);
  return name === undefined ? `unrecognized (${value})` : name.slice(prefix.length).toLowerCase();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
