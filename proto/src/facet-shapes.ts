import {
  AvailableFacet,
  ConfigFacet,
  DevicesFacet,
  LoadedFacet,
  ParametersFacet,
} from '../gen/modfleet/types/v1/kmod.ts';
import type { AvailableKmod, Device, KmodBlock, KmodParameters, LoadedKmod } from '../gen/modfleet/types/v1/kmod.ts';
import { Facet } from '../gen/modfleet/types/v1/facet.ts';
import { FacetEncodingError } from './facet-errors.ts';
import type { FacetShape } from './facet-values.ts';
import { firstOutOfOrder, sortedBy, sortedSet } from './sorting.ts';

const loaded: FacetShape<LoadedFacet, LoadedKmod> = {
  encode: (value) => LoadedFacet.encode(value).finish(),
  decode: (bytes) => LoadedFacet.decode(bytes),
  normalise: (value) => value,
  entries: {
    of: (value) => value.kmods,
    with: (value, kmods) => ({ ...value, kmods }),
    keyOf: (kmod) => kmod.name,
    normalise: (kmod) => kmod,
    field: 1,
    keyFields: [1],
  },
};

const parameters: FacetShape<ParametersFacet, KmodParameters> = {
  encode: (value) => ParametersFacet.encode(value).finish(),
  decode: (bytes) => ParametersFacet.decode(bytes),
  normalise: (value) => value,
  entries: {
    of: (value) => value.kmods,
    with: (value, kmods) => ({ ...value, kmods }),
    keyOf: (kmod) => kmod.name,
    normalise: (kmod) => {
      const sorted = sortedBy(kmod.parameters, (parameter) => parameter.name);
      const repeated = firstOutOfOrder(sorted, (parameter) => parameter.name);
      if (repeated !== undefined) throw new FacetEncodingError(`parameter ${repeated} of ${kmod.name} is given twice`);
      return { ...kmod, parameters: sorted };
    },
    field: 1,
    keyFields: [1],
  },
};

const available: FacetShape<AvailableFacet, AvailableKmod> = {
  encode: (value) => AvailableFacet.encode(value).finish(),
  decode: (bytes) => AvailableFacet.decode(bytes),
  normalise: (value) => value,
  entries: {
    of: (value) => value.kmods,
    with: (value, kmods) => ({ ...value, kmods }),
    keyOf: (kmod) => kmod.name,
    // depends and softdeps keep their order: modprobe follows it.
    normalise: (kmod) => ({ ...kmod, aliases: sortedSet(kmod.aliases) }),
    field: 2,
    keyFields: [1],
  },
};

const devices: FacetShape<DevicesFacet, Device> = {
  encode: (value) => DevicesFacet.encode(value).finish(),
  decode: (bytes) => DevicesFacet.decode(bytes),
  normalise: (value) => value,
  entries: {
    of: (value) => value.devices,
    with: (value, entries) => ({ ...value, devices: entries }),
    keyOf: deviceKey,
    normalise: (device) => ({ ...device, names: sortedSet(device.names) }),
    field: 1,
    keyFields: [1, 2],
  },
};

const config: FacetShape<ConfigFacet, never> = {
  encode: (value) => ConfigFacet.encode(value).finish(),
  decode: (bytes) => ConfigFacet.decode(bytes),
  normalise: (value) => ({
    ...value,
    blocks: sortedBy(value.blocks, blockKey),
    unreadable: sortedSet(value.unreadable),
  }),
  entries: undefined,
};

/** How each facet is written. */
export const FACET_SHAPES = {
  [Facet.FACET_LOADED]: loaded,
  [Facet.FACET_PARAMETERS]: parameters,
  [Facet.FACET_AVAILABLE]: available,
  [Facet.FACET_DEVICES]: devices,
  [Facet.FACET_CONFIG]: config,
} as const;

/** Key of a device: its bus and its address there; `/` is in neither (both are directory names). */
export function deviceKey(device: Pick<Device, 'bus' | 'address'>): string {
  return `${device.bus}/${device.address}`;
}

/** Order of blocks: kmod, rung, file, line, then the words. NUL separates, as it is in no path and no name. */
function blockKey(block: KmodBlock): string {
  return [block.kmod, fixedWidth(block.rung), block.file, fixedWidth(block.line), block.detail].join('\0');
}

function fixedWidth(value: number): string {
  return String(value).padStart(10, '0');
}
