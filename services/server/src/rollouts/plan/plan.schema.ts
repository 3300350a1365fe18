import { CONFIRM_WINDOW_MAX_S, CONFIRM_WINDOW_MIN_S, OVERRIDES, takesAway } from '@modfleet/proto';
import { z } from 'zod';
import {
  evidenceSchema,
  parametersInput,
  planStepSchema,
  reloadPathSchema,
  verbWord,
} from '../../actions/actions.schema.ts';
import {
  cursorQuery,
  envelope,
  exactlyOneTarget,
  exactlyOneTargetMessage,
  hostRef,
  instant,
  kmodNameInput,
  limitQuery,
  nextCursor,
  targetFields,
} from '../../http/common.schema.ts';

/** Verbs that a rollout carries out. `restore` is none of them: a roll back makes those. */
export const rolloutVerb = verbWord;

/** What a host's verdict means for a plan. */
export const standingWord = z
  .enum(['would_change', 'unchanged', 'refused', 'unknown'])
  .describe(
    'would_change: it would be done; unchanged: already so; refused: the host would refuse, `code` says why; unknown: the host did not answer, so nobody can say.',
  );

export const planStateWord = z.enum(['asking', 'ready']);

export const createPlanBody = z
  .strictObject({
    verb: rolloutVerb,
    kmod: kmodNameInput,
    parameters: parametersInput.optional(),
    confirmWindow: z
      .int()
      .min(CONFIRM_WINDOW_MIN_S)
      .max(CONFIRM_WINDOW_MAX_S)
      .optional()
      .describe('Seconds within which each host must obtain a confirm after its step, or put itself back.'),
    overrides: z.array(z.enum(OVERRIDES)).max(OVERRIDES.length).optional(),
    reason: z.string().max(1000).optional(),
    answerWithin: z
      .int()
      .min(1)
      .max(600)
      .optional()
      .describe('Seconds to wait for the hosts; when absent 30, or one for each hundred hosts where that is more.'),
    ...targetFields,
  })
  .refine(exactlyOneTarget, { message: exactlyOneTargetMessage })
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

export const planCountsSchema = z.strictObject({
  total: z.int(),
  wouldChange: z.int(),
  unchanged: z.int(),
  refused: z.int(),
  unknown: z.int(),
  asked: z.int().describe('Hosts that have not answered yet; 0 once the plan is ready.'),
});

const sample = z.array(hostRef).describe('Some of them, by name.');

export const planClassSchema = z
  .strictObject({
    class: z.int(),
    standing: z.enum(['would_change', 'unchanged']),
    digest: z.string().describe('Hex; what a host compares its own plan with when the rollout comes to it.'),
    steps: z.array(planStepSchema),
    overrides: z.array(z.string()).describe('What of its protections the host would set aside.'),
    reloadPaths: z.array(reloadPathSchema).describe('What could bring the kmod back, on the first host of the class.'),
    hosts: z.int(),
    sample,
  })
  .meta({ id: 'PlanClass' });

export const planRefusalSchema = z
  .strictObject({
    code: z.string(),
    message: z.string().describe('Of the first host.'),
    evidence: z.array(evidenceSchema).describe('Of the first host.'),
    hosts: z.int(),
    retried: z.boolean().describe('in_use, busy: the rollout tries again until its deadline.'),
    sample,
  })
  .meta({ id: 'PlanRefusal' });

export const planFields = {
  id: z.uuid(),
  state: planStateWord,
  verb: rolloutVerb,
  kmod: z.string(),
  parameters: z.record(z.string(), z.string()),
  confirmWindow: z.int().nullable(),
  overrides: z.array(z.enum(OVERRIDES)),
  selector: z.string().nullable().describe('As given; null when hosts were named, "" for all hosts.'),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: instant,
  answersUntil: instant,
  readyAt: instant.nullable(),
  expiresAt: instant.describe('No rollout is created from it afterwards.'),
  hash: z.string().nullable().describe('Hex, of what would be done and where; null before it is ready.'),
  counts: planCountsSchema,
  unknownInSelector: z.int().describe('Hosts of which a fact in the selector is unknown: they are no targets.'),
  newMatches: z
    .array(hostRef)
    .describe(
      'Hosts that match the selector now and are no targets, because they did not when it was made; at most 100.',
    ),
  classes: z.array(planClassSchema),
  refusals: z.array(planRefusalSchema),
  unknowns: z.array(z.strictObject({ code: z.string(), message: z.string(), hosts: z.int(), sample })),
  rollouts: z.array(z.uuid()).describe('Created from it.'),
};

export const planItemSchema = z.strictObject(planFields).meta({ id: 'RolloutPlanItem' });
export const planSchema = z.strictObject({ ...planFields, ...envelope }).meta({ id: 'RolloutPlan' });

export const planListQuery = z.strictObject({ limit: limitQuery, cursor: cursorQuery });
export const planListSchema = z
  .strictObject({
    items: z.array(
      z
        .strictObject({
          id: planFields.id,
          state: planFields.state,
          verb: planFields.verb,
          kmod: planFields.kmod,
          selector: planFields.selector,
          requestedBy: planFields.requestedBy,
          createdAt: planFields.createdAt,
          expiresAt: planFields.expiresAt,
          hosts: z.int(),
        })
        .meta({ id: 'RolloutPlanSummary' }),
    ),
    nextCursor,
    asOf: instant,
    ...envelope,
  })
  .meta({ id: 'RolloutPlanList' });

export const planTargetQuery = z.strictObject({
  standing: standingWord.optional(),
  code: z.string().min(1).max(64).optional(),
  class: z.coerce.number().int().min(0).optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});
export const planTargetSchema = z
  .strictObject({
    host: hostRef,
    standing: standingWord.nullable().describe('Null: not answered yet.'),
    code: z.string().describe('What decided; empty when it would be done.'),
    message: z.string(),
    evidence: z.array(evidenceSchema),
    class: z.int().nullable(),
    kernelRelease: z.string(),
    hardware: z
      .string()
      .describe(
        'What kind of machine, as far as the host told: vm or container and which (vm kvm); empty: it told neither.',
      ),
    action: z.uuid().nullable().describe('The dry run that asked the host.'),
  })
  .meta({ id: 'PlanTarget' });
export const planTargetListSchema = z
  .strictObject({ items: z.array(planTargetSchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'PlanTargetList' });
