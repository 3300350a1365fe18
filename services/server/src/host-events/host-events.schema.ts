import { z } from 'zod';
import {
  cursorQuery,
  envelope,
  hostRef,
  instant,
  kmodNameInput,
  limitQuery,
  nextCursor,
} from '../http/common.schema.ts';

export const hostEventsQuery = z.strictObject({
  since: instant.optional(),
  until: instant.optional(),
  kmod: kmodNameInput.optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const kmodEventSchema = z
  .strictObject({
    at: instant,
    kmod: z.string(),
    kind: z.enum(['loaded', 'unloaded', 'changed']),
    actionId: z.uuid().nullable().describe('The action of ours that did it; null for none of ours.'),
    source: z.string().describe('How it was seen: uevent, poll, or reconnect.'),
    detail: z.record(z.string(), z.json()).nullable(),
  })
  .meta({ id: 'KmodEvent' });

export const hostEventsSchema = z
  .strictObject({ host: hostRef, items: z.array(kmodEventSchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'HostEventList' });
