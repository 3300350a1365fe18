import { z } from 'zod';
import {
  cursorQuery,
  envelope,
  flagQuery,
  hostRef,
  instant,
  limitQuery,
  nextCursor,
  selectorText,
} from '../http/common.schema.ts';

const at = instant.describe('The time in question, ISO 8601 in UTC.');

const unknownWhy = z
  .enum(['before_joining', 'before_first_report', 'never_reported'])
  .describe(
    'Why nothing is known of that time. before_joining: the host was not there yet; before_first_report: no earlier connection of it is on record; never_reported: it has never said what it has loaded.',
  );

/** Whether the host was seen at the time. */
const pastSeen = {
  seen: z
    .boolean()
    .describe('It was connected then. False: what is said was so at `seenAt`; it may have changed before `seenNext`.'),
  seenAt: instant.nullable().describe('When it was last seen to be so; null when nothing is known.'),
  seenNext: instant.nullable().describe('When it was next connected; null when it was seen then, or not since.'),
  unknown: unknownWhy.nullable().describe('Null: something is known.'),
};

export const hostPastQuery = z.strictObject({ at });

export const pastKmodSchema = z
  .strictObject({
    name: z.string(),
    buildId: z.string().nullable(),
    size: z.int().nullable(),
    taint: z.string().nullable(),
    version: z.string().nullable(),
    srcversion: z.string().nullable(),
    whole: z
      .boolean()
      .describe('False: it was unloaded since, and nothing else is known of its build: null may be either.'),
  })
  .meta({ id: 'PastKmod' });

export const hostPastSchema = z
  .strictObject({
    host: hostRef,
    at: instant,
    asOf: instant,
    keptSince: instant.describe('Earlier times are not kept.'),
    ...pastSeen,
    kmods: z.array(pastKmodSchema).nullable().describe('By name; null when nothing is known.'),
    ...envelope,
  })
  .meta({ id: 'HostPast' });

export const kmodPastQuery = z.strictObject({
  at,
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  presence: z.string().optional().describe('Comma-separated: loaded, not_loaded, unknown, any. Absent: loaded.'),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const kmodPastHostSchema = z
  .strictObject({ host: hostRef, presence: z.enum(['loaded', 'not_loaded', 'unknown']), ...pastSeen })
  .meta({ id: 'KmodPastHost' });

export const kmodPastSchema = z
  .strictObject({
    name: z.string().describe('Canonical kmod name.'),
    requested: z.string(),
    resolvedBy: z.enum(['name', 'alias', 'driver']),
    at: instant,
    asOf: instant,
    keptSince: instant.describe('Earlier times are not kept.'),
    counts: z
      .strictObject({ loaded: z.int(), notLoaded: z.int(), unknown: z.int() })
      .describe('`loaded` and `notLoaded`: hosts that were connected then. Every other host is `unknown`.'),
    lastSeen: z
      .strictObject({ loaded: z.int(), notLoaded: z.int() })
      .describe(
        'How the unknown hosts were when they were last seen before; those without any earlier sighting are in neither.',
      ),
    selectorUnknown: z
      .int()
      .describe('Hosts in none of the counts, because a fact in the selector is unknown of them now.'),
    items: z.array(kmodPastHostSchema),
    nextCursor,
    ...envelope,
  })
  .meta({ id: 'KmodPast' });
