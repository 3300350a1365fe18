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

export const verbWord = z.enum(['load', 'unload', 'reload']);
export const actionStateWord = z.enum(['queued', 'dispatched', 'received', 'started', 'ended']);
export const outcomeWord = z.enum([
  'succeeded',
  'unchanged',
  'refused',
  'failed',
  'reverted',
  'expired',
  'cancelled',
  'interrupted',
  'unconfirmed',
  'stuck',
]);

const parameterName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'a parameter name has 1 to 64 letters, digits, "_", "-" and "."');
const parameterValue = z
  .string()
  .max(1024)
  .regex(/^[^\s"'\u0000-\u001f\u007f]*$/, 'a parameter value has no white space, quotes or control characters');

export const createActionBody = z
  .strictObject({
    host: z.string().min(1).max(255).describe('Host id, or its name when only one host has it.'),
    verb: verbWord,
    kmod: kmodNameInput,
    parameters: z.record(parameterName, parameterValue).optional().describe('For load and reload.'),
    dryRun: z.boolean().optional().describe('true: findings, verdict and plan only; nothing is touched.'),
    expiresIn: z
      .int()
      .min(5)
      .max(86_400)
      .optional()
      .describe('Seconds after which no step may begin; 120 when absent.'),
    reason: z.string().max(1000).optional(),
  })
  .refine((body) => body.verb !== 'unload' || Object.keys(body.parameters ?? {}).length === 0, {
    message: 'an unload takes no parameters',
    path: ['parameters'],
  });

export const evidenceSchema = z.strictObject({ kind: z.string(), value: z.string() });
export const reloadPathSchema = z.strictObject({ kind: z.string(), value: z.string() });
export const planStepSchema = z.strictObject({
  kind: z.string(),
  kmod: z.string(),
  parameters: z.array(z.string()),
  because: z.string(),
});
export const findingSchema = z.strictObject({
  layer: z.enum(['kernel', 'policy']),
  code: z.string(),
  refuses: z.boolean(),
  message: z.string(),
  evidence: z.array(evidenceSchema),
});

export const verdictSchema = z
  .strictObject({
    allowed: z.boolean(),
    decidedBy: z.string(),
    findings: z.array(findingSchema),
    plan: z.array(planStepSchema),
    reloadPaths: z.array(reloadPathSchema),
  })
  .meta({ id: 'Verdict' });

export const stepResultSchema = z.strictObject({
  kind: z.string(),
  kmod: z.string(),
  exitCode: z.int().nullable(),
  stderr: z.string(),
  errno: z.string(),
  durationMs: z.int(),
  verified: z.boolean().describe('/proc/modules afterwards says what the step wanted.'),
});

export const actionResultSchema = z
  .strictObject({
    steps: z.array(stepResultSchema),
    reasonCode: z.string().describe('Finding code after the fact; empty for none.'),
    loadedAfter: z.boolean().nullable(),
    taintBefore: z.int().nullable(),
    taintAfter: z.int().nullable(),
    kernelLog: z.array(z.string()),
    reloadPaths: z.array(reloadPathSchema),
  })
  .meta({ id: 'ActionResult' });

export const actionFields = {
  id: z.uuid(),
  host: hostRef,
  verb: verbWord,
  kmod: z.string(),
  parameters: z.record(z.string(), z.string()),
  dryRun: z.boolean(),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: instant,
  expiresAt: instant,
  state: actionStateWord,
  outcome: outcomeWord.nullable(),
  resolvedOutcome: outcomeWord.nullable().describe('What one late report made of an unconfirmed or stuck action.'),
  message: z.string().describe('One sentence for people; never says more than was seen.'),
  verdict: verdictSchema.nullable(),
  result: actionResultSchema.nullable(),
  canReturn: z.boolean().describe('The unload is done and at least one way to load again is open.'),
  timeline: z.array(
    z.strictObject({ at: instant, state: actionStateWord, outcome: outcomeWord.nullable(), note: z.string() }),
  ),
  version: z.int().describe('Grows with each change; the id of watch events.'),
};

export const actionSchema = z.strictObject({ ...actionFields, ...envelope }).meta({ id: 'Action' });
/** An action inside a list or an event: the freeze is on the outer object. */
export const actionItemSchema = z.strictObject(actionFields).meta({ id: 'ActionItem' });

export const actionListQuery = z.strictObject({
  host: z.string().min(1).max(255).optional(),
  state: actionStateWord.optional(),
  outcome: outcomeWord.optional(),
  kmod: kmodNameInput.optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const actionListSchema = z
  .strictObject({ items: z.array(actionItemSchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'ActionList' });

export const cancelActionBody = z.strictObject({});
export const cancelActionSchema = z
  .strictObject({
    cancelled: z.boolean().describe('True only when the action is known not to have started.'),
    action: actionItemSchema,
    ...envelope,
  })
  .meta({ id: 'CancelResult' });
