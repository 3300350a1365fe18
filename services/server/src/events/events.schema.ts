import { z } from 'zod';
import {
  counted,
  cursorQuery,
  envelope,
  flagQuery,
  hostRef,
  instant,
  kmodParam,
  limitQuery,
  nextCursor,
  selectorText,
} from '../http/common.schema.ts';
import { EVENT_KIND_WORDS, type EventKindWord } from './event-words.ts';

export const eventKindWordSchema = z
  .enum(EVENT_KIND_WORDS)
  .describe('changed: the same kmod with another build, version, size or taint.');

/** Comma-separated kinds; each once. */
const kindsQuery = z
  .string()
  .transform((text, context) => {
    const words = text.split(',').map((word) => word.trim());
    const wrong = words.find((word) => !EVENT_KIND_WORDS.some((each) => each === word));
    if (wrong === undefined) return [...new Set(words)] as EventKindWord[];
    context.addIssue({
      code: 'custom',
      message: `kind: ${JSON.stringify(wrong.slice(0, 40))} is none of ${EVENT_KIND_WORDS.join(', ')}`,
    });
    return z.NEVER;
  })
  .optional()
  .describe('Comma-separated: loaded, unloaded, changed. Absent: all.');

/** What narrows events, besides the host. */
const eventFilters = {
  kmod: kmodParam.optional(),
  kind: kindsQuery,
  by: z
    .enum(['action', 'none'])
    .optional()
    .describe('action: an action of ours did it; none: none of ours did, as far as the host could tell.'),
  actionId: z.uuid().optional().describe('Done by this action.'),
};

const hostChoice = {
  host: z
    .string()
    .min(1)
    .max(255, 'a host id or name has at most 255 characters')
    .optional()
    .describe('Host id, or its name when only one host has it.'),
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
};

const times = {
  since: instant.optional().describe('Not before this time.'),
  until: instant.optional().describe('Before this time.'),
};

export const hostEventsQuery = z.strictObject({ ...times, ...eventFilters, limit: limitQuery, cursor: cursorQuery });

export const eventListQuery = z.strictObject({
  ...hostChoice,
  ...times,
  ...eventFilters,
  limit: limitQuery,
  cursor: cursorQuery,
});

export const eventHostsQuery = z.strictObject({
  ...hostChoice,
  ...times,
  ...eventFilters,
  limit: limitQuery,
  cursor: cursorQuery,
});

export const eventWatchQuery = z.strictObject({ ...hostChoice, ...eventFilters });

export const kmodEventSchema = z
  .strictObject({
    id: z.int().describe('Its number; grows as events are stored, which is not the order of `at`.'),
    at: instant.describe('When the host saw it; it may have been told later.'),
    host: hostRef,
    kmod: z.string(),
    kind: eventKindWordSchema,
    actionId: z.uuid().nullable().describe('The action of ours that did it; null for none of ours.'),
    source: z
      .string()
      .describe(
        'How it was seen: uevent, poll, or inventory (found by comparing two inventories; when between them is not known).',
      ),
    detail: z.record(z.string(), z.json()).nullable().describe('Of `changed`: each field with `from` and `to`.'),
  })
  .meta({ id: 'KmodEvent' });

export const hostEventsSchema = z
  .strictObject({ host: hostRef, items: z.array(kmodEventSchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'HostEventList' });

const selectorUnknown = z
  .int()
  .describe('Hosts left out because a fact in the selector is unknown of them; includeUnknown takes them in.');

/** Coverage is that of `loaded`: a host that is not fresh may have changed without anybody having heard of it. */
export const eventListSchema = z
  .strictObject({ items: z.array(kmodEventSchema), nextCursor, selectorUnknown, ...counted, ...envelope })
  .meta({ id: 'EventList' });

export const changedHostSchema = z
  .strictObject({
    host: hostRef,
    events: z.int(),
    loaded: z.int(),
    unloaded: z.int(),
    changed: z.int(),
    byActions: z.int().describe('How many of the events an action of ours did.'),
    kmods: z.array(z.string()).describe('Which kmods, by name; the first 20.'),
    kmodCount: z.int(),
    firstAt: instant,
    lastAt: instant,
  })
  .meta({ id: 'ChangedHost' });

export const eventHostsSchema = z
  .strictObject({ items: z.array(changedHostSchema), nextCursor, selectorUnknown, ...counted, ...envelope })
  .meta({ id: 'ChangedHostList' });

/** One line of application/x-ndjson; over text/event-stream `event` is the event's name and the rest its data. */
export const eventWatchLineSchema = z
  .discriminatedUnion('event', [
    z.strictObject({
      event: z.literal('start'),
      data: z
        .strictObject({ selectorUnknown, ...counted })
        .describe('From here on. Of hosts that are not fresh nothing comes until they are.'),
    }),
    z.strictObject({ event: z.literal('kmod_event'), data: kmodEventSchema }),
    z.strictObject({
      event: z.literal('position'),
      data: z.strictObject({ asOf: instant }).describe('Nothing new up to here; its id is where to resume.'),
    }),
  ])
  .meta({ id: 'EventWatchLine' });
