import { z } from 'zod';
import { hostHealthSchema } from '../actions/actions.schema.ts';
import {
  blockSchema,
  loadedKmodSchema,
  exactlyOneTarget,
  exactlyOneTargetMessage,
  freezeSchema,
  hostRef,
  instant,
  kmodNameInput,
  presenceWord,
  targetFields,
} from '../http/common.schema.ts';

export const queryBody = z
  .strictObject({
    kmods: z.array(kmodNameInput).min(1).max(100),
    ...targetFields,
    health: z.literal(true).optional().describe("true: each host's health, too."),
    timeoutMs: z
      .int()
      .min(100)
      .max(30_000)
      .optional()
      .describe(
        'Milliseconds to wait while no answer comes; 2000 when absent. As long as answers come in the question goes on, for a minute at most.',
      ),
  })
  .refine(exactlyOneTarget, { message: exactlyOneTargetMessage });

export const queryStartSchema = z
  .strictObject({
    queryId: z.uuid(),
    targets: z.int().describe('Hosts that are asked, or that would be if they were connected.'),
    unknown: z.int().describe('Hosts of which a fact in the selector is unknown: they are not asked.'),
    asOf: instant,
    freeze: freezeSchema,
  })
  .meta({ id: 'QueryStart' });

export const kmodAnswerSchema = z.strictObject({
  name: z.string(),
  presence: presenceWord.nullable().describe('Null: the host could not say; see reason.'),
  reason: z.string().nullable().describe('Why the host could not say; null when it did.'),
  refcount: z.int().nullable(),
  holders: z.array(z.string()),
  loaded: loadedKmodSchema.nullable(),
  blocks: z.array(blockSchema),
});

export const queryAnswerSchema = z
  .strictObject({
    host: hostRef,
    kmods: z.array(kmodAnswerSchema),
    health: hostHealthSchema
      .nullable()
      .optional()
      .describe('Only where it was asked for; null: the agent does not tell.'),
    elapsedMs: z.int(),
  })
  .meta({ id: 'QueryAnswer' });

export const queryEndSchema = z
  .strictObject({
    targets: z.int(),
    answered: z.int(),
    noAnswer: z.array(
      z.strictObject({ host: hostRef, reason: z.enum(['silent', 'timeout', 'error']), detail: z.string() }),
    ),
    elapsedMs: z.int(),
  })
  .meta({ id: 'QueryEnd' });

/** One line of application/x-ndjson; over text/event-stream `event` is the event's name and the rest its data. */
export const queryLineSchema = z
  .discriminatedUnion('event', [
    z.strictObject({ event: z.literal('start'), data: queryStartSchema }),
    z.strictObject({ event: z.literal('answer'), data: queryAnswerSchema }),
    z.strictObject({ event: z.literal('end'), data: queryEndSchema }),
  ])
  .meta({ id: 'QueryLine' });
