import { z } from 'zod';
import {
  counted,
  coverageWord,
  cursorQuery,
  envelope,
  flagQuery,
  hostRef,
  instant,
  limitQuery,
  nextCursor,
  selectorText,
} from '../http/common.schema.ts';

export const driverHostsQuery = z.strictObject({
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  presence: z
    .string()
    .optional()
    .describe('Comma-separated: bound, builtin, none, unknown, any. Absent: bound,builtin.'),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const driverHostSchema = z
  .strictObject({
    host: hostRef,
    presence: z
      .enum(['bound', 'builtin', 'none'])
      .nullable()
      .describe('What the host last reported; it is only known to hold when coverage is fresh. Null: never reported.'),
    driver: z.string(),
    kmod: z.string().nullable().describe('Null when the driver is built in without a name.'),
    builtin: z.boolean(),
    devices: z.array(
      z.strictObject({ bus: z.string(), address: z.string(), modalias: z.string(), names: z.array(z.string()) }),
    ),
    known: z.boolean().describe('True when coverage is fresh.'),
    coverage: coverageWord,
    observedAt: instant.nullable(),
    ageMs: z.int().nullable(),
    reason: z.string().nullable(),
    kernelRelease: z.string(),
  })
  .meta({ id: 'DriverHost' });

export const driverHostsSchema = z
  .strictObject({
    name: z.string(),
    kmods: z.array(z.string()).describe('Kmods that provide the driver on some host.'),
    items: z.array(driverHostSchema),
    nextCursor,
    counts: z
      .strictObject({ bound: z.int(), builtin: z.int(), none: z.int(), unknown: z.int() })
      .describe('Hosts: bound by a kmod, bound and built in, not bound, unknown. They add up to coverage.total.'),
    selectorUnknown: z.int(),
    lastSeen: z.strictObject({ bound: z.int(), builtin: z.int(), none: z.int() }),
    ...counted,
    ...envelope,
  })
  .meta({ id: 'DriverHostList' });
