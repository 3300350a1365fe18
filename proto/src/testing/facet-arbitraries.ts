import fc from 'fast-check';
import { Facet } from '../../gen/modfleet/types/v1/facet.ts';
import { BlockRung, KmodState } from '../../gen/modfleet/types/v1/kmod.ts';
import { deviceKey } from '../facet-shapes.ts';
import type { FacetValues, KnownFacet } from '../facet-values.ts';

const kmodName = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
const text = fc.string({ maxLength: 8 });
const texts = fc.array(text, { maxLength: 4 });
const optionalFlag = fc.option(fc.boolean(), { nil: undefined });
const optionalText = fc.option(text, { nil: undefined });

const loadedKmod = fc.record({
  name: kmodName,
  buildId: fc.stringMatching(/^[0-9a-f]{0,8}$/),
  size: fc.nat(),
  taint: fc.constantFrom('', 'OE', 'POE'),
  srcversion: text,
  version: text,
  state: fc.constantFrom(...Object.values(KmodState)),
});

const kmodParameters = fc.record({
  name: kmodName,
  parameters: fc.uniqueArray(fc.record({ name: kmodName, value: optionalText, unreadableReason: text }), {
    selector: (parameter) => parameter.name,
    maxLength: 4,
  }),
});

const availableKmod = fc.record({
  name: kmodName,
  path: text,
  builtin: fc.boolean(),
  version: text,
  srcversion: text,
  license: text,
  signer: text,
  description: text,
  depends: texts,
  aliases: fc.uniqueArray(text, { maxLength: 4 }),
  softdepsPre: texts,
  softdepsPost: texts,
  buildId: text,
});

const device = fc.record({
  bus: fc.constantFrom('pci', 'usb', 'virtio'),
  address: fc.stringMatching(/^[0-9a-f:.]{1,8}$/),
  modalias: text,
  driver: text,
  kmod: text,
  builtin: fc.boolean(),
  names: fc.uniqueArray(text, { maxLength: 3 }),
});

const block = fc.record({
  kmod: kmodName,
  rung: fc.constantFrom(...Object.values(BlockRung)),
  file: text,
  line: fc.nat({ max: 1e6 }),
  detail: text,
});

/** A value of each facet, for property tests. */
export const facetArbitraries: { readonly [F in KnownFacet]: fc.Arbitrary<FacetValues[F]> } = {
  [Facet.FACET_LOADED]: fc.record({ kmods: fc.uniqueArray(loadedKmod, { selector: (kmod) => kmod.name }) }),
  [Facet.FACET_PARAMETERS]: fc.record({ kmods: fc.uniqueArray(kmodParameters, { selector: (kmod) => kmod.name }) }),
  [Facet.FACET_AVAILABLE]: fc.record({
    kernelRelease: text,
    kmods: fc.uniqueArray(availableKmod, { selector: (kmod) => kmod.name }),
  }),
  [Facet.FACET_DEVICES]: fc.record({ devices: fc.uniqueArray(device, { selector: deviceKey }) }),
  [Facet.FACET_CONFIG]: fc.record({
    modprobe: fc.array(fc.record({ keyword: text, arguments: text, file: text, line: fc.nat() }), { maxLength: 4 }),
    modulesLoad: fc.array(fc.record({ name: text, file: text, line: fc.nat() }), { maxLength: 4 }),
    kernelCmdline: text,
    modulesDisabled: optionalFlag,
    lockdown: optionalText,
    sigEnforce: optionalFlag,
    secureBoot: optionalFlag,
    blocks: fc.array(block, { maxLength: 4 }),
    unreadable: fc.uniqueArray(text, { maxLength: 4 }),
  }),
};

/** The same content with every list whose order means nothing in another order. */
export function shuffled<F extends KnownFacet>(value: FacetValues[F]): fc.Arbitrary<FacetValues[F]> {
  const shuffleAll = (lists: object): fc.Arbitrary<object> =>
    fc.record(
      Object.fromEntries(
        Object.entries(lists).map(([key, list]: [string, unknown]) => [
          key,
          Array.isArray(list) && UNORDERED.has(key)
            ? fc
                .shuffledSubarray(list as object[], { minLength: list.length })
                .chain((items) => fc.tuple(...items.map(shuffleItem)))
            : fc.constant(list),
        ]),
      ),
    );
  const shuffleItem = (item: unknown): fc.Arbitrary<unknown> =>
    typeof item === 'object' && item !== null ? shuffleAll(item) : fc.constant(item);
  return shuffleAll(value) as fc.Arbitrary<FacetValues[F]>;
}

const UNORDERED = new Set(['kmods', 'parameters', 'devices', 'names', 'aliases', 'blocks', 'unreadable']);
