import { z } from 'zod';
import {
  blockedWord,
  blockSchema,
  loadedKmodSchema,
  counted,
  coverageWord,
  cursorQuery,
  envelope,
  flagQuery,
  globQuery,
  hostRef,
  instant,
  limitQuery,
  nextCursor,
  presenceWord,
  selectorText,
} from '../http/common.schema.ts';

/** Hosts by presence; only fresh ones are known, every other host is `unknown`. The five add up to coverage.total. */
export const kmodCountsSchema = z.strictObject({
  loaded: z.int(),
  builtin: z.int(),
  onDisk: z.int(),
  absent: z.int(),
  unknown: z.int(),
});

/** What the unknown hosts last reported; the ones that never did are in none. */
export const lastSeenSchema = z
  .strictObject({ loaded: z.int(), builtin: z.int(), onDisk: z.int(), absent: z.int() })
  .describe('What the hosts counted as unknown last reported; those that never reported are in none of these.');

export const kmodListQuery = z.strictObject({
  name: globQuery,
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  presence: z.string().optional().describe('Comma-separated: loaded, builtin, on_disk, any. Absent: loaded,builtin.'),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const kmodListItemSchema = z.strictObject({
  name: z.string(),
  counts: z
    .strictObject({ loaded: z.int(), builtin: z.int(), onDisk: z.int() })
    .describe('Hosts whose facts are fresh.'),
  lastSeen: z
    .strictObject({ loaded: z.int(), builtin: z.int(), onDisk: z.int() })
    .describe('Unknown hosts that last reported so.'),
});

export const kmodListSchema = z
  .strictObject({ items: z.array(kmodListItemSchema), nextCursor, ...counted, ...envelope })
  .meta({ id: 'KmodList' });

/** How the name in the request became a kmod. */
const resolution = {
  name: z.string().describe('Canonical kmod name.'),
  requested: z.string().describe('As asked.'),
  resolvedBy: z.enum(['name', 'alias', 'driver']),
  candidates: z.array(z.string()).optional().describe('Other kmods that the alias or driver name also stands for.'),
};

/** Fields that GET /kmods/{name} and GET /kmods/{name}/hosts share. */
const tally = {
  counts: kmodCountsSchema,
  lastSeen: lastSeenSchema,
  selectorUnknown: z
    .int()
    .describe(
      'Hosts in none of the counts, because a fact in the selector is unknown of them; includeUnknown takes them in.',
    ),
  ...counted,
};

export const kmodQuery = z.strictObject({ selector: selectorText.optional(), includeUnknown: flagQuery });

export const kmodSchema = z
  .strictObject({
    ...resolution,
    description: z.string().nullable(),
    license: z.string().nullable(),
    ...tally,
    builds: z
      .array(
        z.strictObject({
          buildId: z.string().nullable(),
          version: z.string().nullable(),
          kernelRelease: z.string(),
          hosts: z.int(),
        }),
      )
      .describe('Loaded builds on fresh hosts.'),
    drivers: z.array(z.string()).describe('Drivers that it provides, as seen on devices.'),
    aliases: z.int().describe('Number of distinct aliases.'),
    depends: z.array(z.string()),
    blocked: z
      .strictObject({ no: z.int(), partly: z.int(), kernel: z.int(), unknown: z.int() })
      .describe('Hosts by how it is blocked.'),
    ...envelope,
  })
  .meta({ id: 'Kmod' });

export const kmodHostsQuery = z.strictObject({
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  presence: z
    .string()
    .optional()
    .describe('Comma-separated: loaded, builtin, on_disk, absent, unknown, any. Absent: loaded,builtin.'),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const kmodHostSchema = z
  .strictObject({
    host: hostRef,
    presence: presenceWord
      .nullable()
      .describe('What the host last reported; it is only known to hold when coverage is fresh. Null: never reported.'),
    known: z.boolean().describe('True when coverage is fresh.'),
    coverage: coverageWord,
    observedAt: instant.nullable(),
    ageMs: z.int().nullable(),
    reason: z.string().nullable().describe('Why it is not fresh.'),
    kernelRelease: z.string(),
    loaded: loadedKmodSchema.nullable(),
    fileDiffers: z.boolean().nullable(),
    blocks: z.array(blockSchema),
    blocked: blockedWord.nullable().describe('Null when the host has not reported its configuration.'),
    devices: z.array(
      z.strictObject({ bus: z.string(), address: z.string(), driver: z.string(), names: z.array(z.string()) }),
    ),
  })
  .meta({ id: 'KmodHost' });

export const kmodHostsSchema = z
  .strictObject({ ...resolution, items: z.array(kmodHostSchema), nextCursor, ...tally, ...envelope })
  .meta({ id: 'KmodHostList' });
