import { z } from 'zod';
import { coverageWord, envelope, facetWord, hostRef, instant, loadedKmodSchema } from '../http/common.schema.ts';

export const hostDiffQuery = z.strictObject({
  with: z.string().min(1).max(255).describe('The other host: name or id.'),
});

const unsaid = 'Null: one of the two has never reported that facet; `facets` says which.';

const standing = z.strictObject({
  facet: facetWord,
  a: z.strictObject({ coverage: coverageWord, observedAt: instant.nullable(), reason: z.string().nullable() }),
  b: z.strictObject({ coverage: coverageWord, observedAt: instant.nullable(), reason: z.string().nullable() }),
});

const device = z.strictObject({
  modalias: z.string(),
  driver: z.string().describe('Empty when unbound.'),
  kmod: z.string().nullable(),
  builtin: z.boolean(),
  names: z.array(z.string()),
});

export const hostDiffSchema = z
  .strictObject({
    a: hostRef,
    b: hostRef,
    asOf: instant,
    same: z.boolean().describe('Nothing differs, and both are fresh in everything that is compared.'),
    facets: z
      .array(standing)
      .describe('How fresh what is compared is on either side; what is not fresh may be different by now.'),
    kernel: z
      .array(
        z.strictObject({
          field: z.enum(['kernelRelease', 'architecture', 'os', 'osVersion']),
          a: z.string().nullable(),
          b: z.string().nullable(),
        }),
      )
      .describe('What differs of kernel and system.'),
    kmods: z
      .array(
        z.strictObject({
          name: z.string(),
          a: loadedKmodSchema.nullable().describe('Null: not loaded there.'),
          b: loadedKmodSchema.nullable().describe('Null: not loaded there.'),
          differs: z
            .array(z.enum(['buildId', 'size', 'taint', 'version', 'srcversion']))
            .describe('Of a kmod that both have loaded.'),
        }),
      )
      .nullable()
      .describe(`Loaded kmods that differ, by name. ${unsaid}`),
    parameters: z
      .array(
        z.strictObject({
          kmod: z.string(),
          parameter: z.string(),
          a: z.string().nullable().describe('Null: not there, or not readable.'),
          b: z.string().nullable().describe('Null: not there, or not readable.'),
        }),
      )
      .nullable()
      .describe(`Of kmods that both have loaded. ${unsaid}`),
    config: z
      .array(
        z.strictObject({
          what: z.string().describe('A setting, or a line of modprobe.d or modules-load.d.'),
          a: z.string().nullable().describe('Its value, or where the line stands; null: not there.'),
          b: z.string().nullable().describe('Its value, or where the line stands; null: not there.'),
        }),
      )
      .nullable()
      .describe(`What loads or blocks kmods. ${unsaid}`),
    devices: z
      .array(z.strictObject({ bus: z.string(), address: z.string(), a: device.nullable(), b: device.nullable() }))
      .nullable()
      .describe(`Places on a bus where another device is, or another driver. ${unsaid}`),
    ...envelope,
  })
  .meta({ id: 'HostDiff' });
