import {
  CONFIRM_WINDOW_DEFAULT_S,
  CONFIRM_WINDOW_MAX_S,
  CONFIRM_WINDOW_MIN_S,
  OVERRIDES,
  takesAway,
} from '@modfleet/proto';
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

/** What may be asked for. */
export const verbWord = z.enum(['load', 'unload', 'reload', 'ensure_loaded', 'ensure_unloaded', 'set_parameters']);
/** What an action may be: `restore` is asked for by the server alone, with what a host has reported. */
export const actionVerbWord = z.enum([...verbWord.options, 'restore']);
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

/** Parameters of a kmod as a caller gives them. */
export const parametersInput = z.record(parameterName, parameterValue);

export const createActionBody = z
  .strictObject({
    host: z.string().min(1).max(255).describe('Host id, or its name when only one host has it.'),
    verb: verbWord,
    kmod: kmodNameInput,
    parameters: parametersInput
      .optional()
      .describe('For load, reload, ensure_loaded and set_parameters, which needs them.'),
    dryRun: z.boolean().optional().describe('true: findings, verdict and plan only; nothing is touched.'),
    expiresIn: z
      .int()
      .min(5)
      .max(86_400)
      .optional()
      .describe('Seconds after which no step may begin; 120 when absent.'),
    reason: z.string().max(1000).optional(),
    confirmWindow: z
      .union([z.literal(true), z.int().min(CONFIRM_WINDOW_MIN_S).max(CONFIRM_WINDOW_MAX_S)], {
        error: `takes true, or a whole number of seconds from ${CONFIRM_WINDOW_MIN_S} to ${CONFIRM_WINDOW_MAX_S}`,
      })
      .optional()
      .describe(
        `Seconds within which the host must obtain this server's confirm after the step, or put itself back; true: ${CONFIRM_WINDOW_DEFAULT_S}. Absent: no window, and a step that could cut the host off is refused.`,
      ),
    overrides: z
      .array(z.enum(OVERRIDES))
      .max(OVERRIDES.length)
      .optional()
      .describe(
        '"route": the protection of what carries the host\'s own connection is set aside. Needs confirmWindow.',
      ),
  })
  .refine((body) => (body.overrides ?? []).length === 0 || body.confirmWindow !== undefined, {
    message: 'an override needs a confirm window: add confirmWindow',
    path: ['overrides'],
  })
  .refine((body) => !takesAway(body.verb) || Object.keys(body.parameters ?? {}).length === 0, {
    message: 'an unload takes no parameters',
    path: ['parameters'],
  })
  .refine((body) => body.verb !== 'set_parameters' || Object.keys(body.parameters ?? {}).length > 0, {
    message: 'set_parameters needs at least one parameter',
    path: ['parameters'],
  });

export const evidenceSchema = z.strictObject({ kind: z.string(), value: z.string() });
export const reloadPathSchema = z.strictObject({
  kind: z
    .string()
    .describe(
      'alias, device, dependant, softdep, modules_load; or unknown: what could not be read, so there may be more.',
    ),
  value: z.string(),
});
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
    digest: z
      .string()
      .nullable()
      .optional()
      .describe('SHA-256 over steps, side effects and risk, in hex; null of an older agent.'),
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

export const confirmReportSchema = z.strictObject({
  end: z
    .enum(['kept', 'reverted', 'not_asked', 'unknown'])
    .describe(
      'kept: confirmed in time. reverted: not, and the host put itself back. not_asked: a step failed first, and the host put itself back. unknown: not kept, and no revert has said that it put the host back.',
    ),
  cause: z
    .string()
    .describe('Why it was reverted: no_server, refused, agent_died, rebooted, step_failed; empty when kept.'),
  windowSeconds: z.int(),
  attempts: z.int().describe('How often the host asked for the confirm.'),
  localAddress: z.string().describe("The host's end of the connection that the confirm came over; empty without one."),
  restored: z.array(z.string()).describe('What the host put back by itself.'),
  missing: z.array(z.string()).describe('What was there before and is missing; empty when all is as before.'),
  rebootedToRecover: z.boolean(),
  endedBy: z.string().describe('agent, timer or boot.'),
});

export const undoStepSchema = z.strictObject({
  kind: z.string().describe('load, unload, set_parameters, persist, unpersist.'),
  kmod: z.string(),
  parameters: z.array(z.string()),
});

export const hostHealthSchema = z.strictObject({
  bootId: z.string(),
  taint: z.int(),
  oopsCount: z.int().nullable().describe('Since boot; null where the kernel does not count.'),
  warnCount: z.int().nullable().describe('Since boot; null where the kernel does not count.'),
  links: z.array(z.string()).describe('Network interface and its state.'),
  mounts: z.array(z.string()).describe('Source, target and type, without pseudo file systems.'),
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
    confirm: confirmReportSchema.nullable().optional().describe('How the confirm window ended; null without one.'),
    undo: z
      .array(undoStepSchema)
      .optional()
      .describe('What would put the host back as it was before, in order; empty when nothing was changed.'),
    healthBefore: hostHealthSchema.nullable().optional().describe('Before the first step; null when none began.'),
  })
  .meta({ id: 'ActionResult' });

export const actionFields = {
  id: z.uuid(),
  host: hostRef,
  verb: actionVerbWord,
  kmod: z.string(),
  parameters: z.record(z.string(), z.string()),
  dryRun: z.boolean(),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: instant,
  expiresAt: instant,
  confirmWindow: z.int().nullable().describe('Seconds; null without a confirm window.'),
  overrides: z.array(z.enum(OVERRIDES)),
  confirm: z
    .strictObject({
      deadline: instant.nullable().describe('Until when the host waits; null before it has told.'),
      offeredAt: instant
        .nullable()
        .describe('When this server answered yes; null when it was not asked. Not yet success.'),
      offeredTo: z.string().nullable().describe('Address and port that asked.'),
    })
    .nullable()
    .describe('Null without a confirm window.'),
  state: actionStateWord,
  outcome: outcomeWord.nullable(),
  resolvedOutcome: outcomeWord.nullable().describe('What one late report made of an unconfirmed or stuck action.'),
  message: z.string().describe('One sentence for people; never says more than was seen.'),
  verdict: verdictSchema.nullable(),
  result: actionResultSchema.nullable(),
  canReturn: z
    .boolean()
    .describe(
      'The unload is done, and at least one way to load again is open or (kind `unknown`) could not be looked for.',
    ),
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
