import { z } from 'zod';
import { evidenceSchema, outcomeWord } from '../actions/actions.schema.ts';
import { cursorQuery, envelope, hostRef, instant, labelKey, limitQuery, nextCursor } from '../http/common.schema.ts';
import { rolloutVerb } from './plan/plan.schema.ts';

const COUNT = /^[0-9]{1,7}$/;
const PERCENT = /^(100|[0-9]{1,2})(\.[0-9]{1,2})?%$/;

const AMOUNT = 'takes a number of hosts or a percentage, as 5 or 2.5%';

/** A number of hosts, or a share of them that is rounded down: 5, "5", "2.5%". */
export const amount = z
  .union([z.int().min(0), z.string().refine((text) => COUNT.test(text) || PERCENT.test(text))], { error: AMOUNT })
  .transform(String);

export const FAILURE_KINDS = [
  'refused',
  'failed',
  'stuck',
  'reverted',
  'unreachable',
  'unconfirmed',
  'drifted',
  'unhealthy',
] as const;
export const failureKind = z.enum(FAILURE_KINDS);

export const rolloutStateWord = z.enum([
  'awaiting_approval',
  'running',
  'paused',
  'aborting',
  'rolling_back',
  'succeeded',
  'failed',
  'aborted',
  'rolled_back',
]);

/** Outcomes of an action, and those that only a rollout has. */
export const targetOutcomeWord = z
  .enum([...outcomeWord.options, 'unreachable', 'drifted', 'not_run'])
  .describe(
    'unreachable: never connected while it was its turn; drifted: the host would do something else than was approved; not_run: the rollout ended before it was its turn.',
  );

export const targetStateWord = z
  .enum(['pending', 'waiting', 'dispatched', 'running', 'ended'])
  .describe(
    'pending: not its turn yet; waiting: its turn, and `wait` says for what; dispatched: accepted, not yet at the host; running: at the host; ended: has an outcome.',
  );

const budgetLimits = z.partialRecord(failureKind, amount);

export const rolloutOptions = {
  waves: z
    .array(amount)
    .min(1)
    .max(50)
    .optional()
    .describe('Growing, how many hosts each wave reaches in all: ["1", "10%", "100%"]. One wave of all when absent.'),
  canary: z
    .boolean()
    .optional()
    .describe('true: a first wave of one host of each kernel release and kind of hardware.'),
  concurrency: z
    .union([amount, z.literal('unlimited')], { error: `${AMOUNT}, or "unlimited"` })
    .optional()
    .describe('Hosts under way at a time; the smaller of 50 and 5 % when absent, at least 1.'),
  bake: z
    .int()
    .min(0)
    .max(604_800)
    .optional()
    .describe('Seconds between the end of a wave and the look at its hosts; 60 when absent.'),
  budget: z
    .strictObject({ whole: budgetLimits.optional(), wave: budgetLimits.optional() })
    .optional()
    .describe(
      'How many hosts may fail, by kind; exceeded, not met, is what acts. Kinds that are not named: 0, and for unreachable and refused no limit.',
    ),
  onBudget: z.enum(['pause', 'abort', 'roll_back']).optional().describe('pause when absent.'),
  deadline: z
    .int()
    .min(10)
    .max(2_592_000)
    .optional()
    .describe('Seconds after which nothing begins any more; 3600 when absent.'),
  offline: z
    .enum(['wait', 'skip'])
    .optional()
    .describe(
      'wait (when absent): a host that is not connected has until the deadline, and the waves go on without it.',
    ),
  order: z
    .union(
      [
        z.strictObject({ by: z.literal('random'), seed: z.int().min(0).max(2_147_483_647).optional() }),
        z.strictObject({ by: z.literal('label'), label: labelKey }),
      ],
      { error: 'takes {"by":"random","seed":N} or {"by":"label","label":KEY}' },
    )
    .optional()
    .describe('Random when absent.'),
  requireApproval: z.boolean().optional().describe('true: begins when somebody else has approved it.'),
};

export const createRolloutBody = z
  .strictObject({ plan: z.uuid(), reason: z.string().max(1000).optional(), ...rolloutOptions })
  .meta({ id: 'CreateRolloutBody' });

/** What stands in place of what was left out. */
export const effectiveOptionsSchema = z
  .strictObject({
    waves: z.array(z.string()),
    canary: z.boolean(),
    concurrency: z.int().nullable().describe('Null: unlimited.'),
    bake: z.int(),
    budget: z.strictObject({
      whole: z.partialRecord(failureKind, z.string()),
      wave: z.partialRecord(failureKind, z.string()),
    }),
    onBudget: z.enum(['pause', 'abort', 'roll_back']),
    deadline: z.int(),
    offline: z.enum(['wait', 'skip']),
    order: z.union([
      z.strictObject({ by: z.literal('random'), seed: z.int() }),
      z.strictObject({ by: z.literal('label'), label: z.string() }),
    ]),
    requireApproval: z.boolean(),
  })
  .meta({ id: 'RolloutOptions' });

export const rolloutCountsSchema = z
  .strictObject({
    total: z.int(),
    pending: z.int(),
    waiting: z.int(),
    dispatched: z.int().describe('Under way: accepted, or at the host.'),
    ended: z
      .partialRecord(targetOutcomeWord, z.int())
      .describe('Hosts by outcome; a later report that resolved one counts in its place.'),
    unhealthy: z.int(),
  })
  .meta({ id: 'RolloutCounts' });

export const rolloutWaveSchema = z
  .strictObject({
    wave: z.int().describe('From 0.'),
    canary: z.boolean(),
    state: z
      .enum(['pending', 'running', 'baking', 'ended', 'not_run'])
      .describe('not_run: the rollout ended before its turn.'),
    counts: rolloutCountsSchema,
    startedAt: instant.nullable(),
    bakeUntil: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: 'RolloutWave' });

export const rolloutFailureSchema = z
  .strictObject({
    kind: failureKind,
    code: z.string(),
    message: z.string().describe('Of the first host.'),
    hosts: z.int(),
    sample: z.array(hostRef),
  })
  .meta({ id: 'RolloutFailure' });

export const budgetLineSchema = z.strictObject({
  scope: z.enum(['whole', 'wave']),
  kind: failureKind,
  limit: z.int().describe('Hosts.'),
  count: z.int(),
  exceeded: z.boolean(),
});

export const rolloutFields = {
  id: z.uuid(),
  plan: z.uuid(),
  parent: z.uuid().nullable().describe('The rollout whose hosts this one tries again.'),
  state: rolloutStateWord,
  message: z.string().describe('One sentence for people; never says more than was seen.'),
  verb: rolloutVerb,
  kmod: z.string(),
  parameters: z.record(z.string(), z.string()),
  confirmWindow: z.int().nullable(),
  selector: z.string().nullable(),
  reason: z.string().nullable(),
  requestedBy: z.string(),
  createdAt: instant,
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  deadlineAt: instant,
  options: effectiveOptionsSchema,
  hash: z.string().describe('Hex; what an approval is bound to.'),
  approval: z
    .strictObject({ by: z.string(), at: instant })
    .nullable()
    .describe('Null: not approved, or none is needed.'),
  wave: z.int().describe('The wave under way, or the last one.'),
  waves: z.array(rolloutWaveSchema),
  counts: rolloutCountsSchema,
  failures: z.array(rolloutFailureSchema).describe('By kind and code, the most hosts first; at most 50.'),
  budget: z.array(budgetLineSchema),
  canReturn: z.int().describe('Hosts on which it is unloaded and can return, as far as they told.'),
  rollback: z
    .strictObject({
      total: z.int(),
      pending: z.int(),
      dispatched: z.int(),
      restored: z.int(),
      failed: z.int().describe('Hosts that changed and were not put back.'),
      unknown: z.int().describe('Hosts of which nobody can say whether they changed: nothing is done to them.'),
    })
    .nullable()
    .describe('Null when no roll back was asked for.'),
  version: z.int().describe('Grows with each change; the id of watch events.'),
};

export const rolloutItemSchema = z.strictObject(rolloutFields).meta({ id: 'RolloutItem' });
export const rolloutSchema = z.strictObject({ ...rolloutFields, ...envelope }).meta({ id: 'Rollout' });

export const rolloutListQuery = z.strictObject({
  state: rolloutStateWord.optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});
export const rolloutSummarySchema = z
  .strictObject({
    id: rolloutFields.id,
    state: rolloutFields.state,
    verb: rolloutFields.verb,
    kmod: rolloutFields.kmod,
    selector: rolloutFields.selector,
    requestedBy: rolloutFields.requestedBy,
    createdAt: rolloutFields.createdAt,
    endedAt: rolloutFields.endedAt,
    hosts: z.int(),
    ended: z.int(),
    asAsked: z.int().describe('Hosts that are as was asked for: succeeded or unchanged, and not put back since.'),
  })
  .meta({ id: 'RolloutSummary' });
export const rolloutListSchema = z
  .strictObject({ items: z.array(rolloutSummarySchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'RolloutList' });

export const rolloutTargetQuery = z.strictObject({
  state: targetStateWord.optional(),
  outcome: targetOutcomeWord.optional(),
  wave: z.coerce.number().int().min(0).optional(),
  unhealthy: z.enum(['true', 'false']).optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});
export const rolloutTargetSchema = z
  .strictObject({
    host: hostRef,
    wave: z.int(),
    state: targetStateWord,
    wait: z.enum(['unreachable', 'in_use']).nullable(),
    outcome: targetOutcomeWord.nullable(),
    resolvedOutcome: targetOutcomeWord.nullable(),
    late: z.boolean().describe('It had no verdict when the plan was made.'),
    code: z.string(),
    message: z.string(),
    evidence: z.array(evidenceSchema),
    attempts: z.int(),
    action: z.uuid().nullable(),
    health: z
      .array(z.strictObject({ what: z.string(), detail: z.string() }))
      .describe('What was wrong with the host after its wave.'),
    healthSeen: z.boolean().describe('The host was looked at after its wave.'),
    rollback: z
      .strictObject({
        state: z.enum(['pending', 'dispatched', 'ended']),
        outcome: outcomeWord.nullable(),
        message: z.string(),
        action: z.uuid().nullable(),
      })
      .nullable(),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: 'RolloutTarget' });
export const rolloutTargetListSchema = z
  .strictObject({ items: z.array(rolloutTargetSchema), nextCursor, asOf: instant, ...envelope })
  .meta({ id: 'RolloutTargetList' });

export const rolloutNoteListSchema = z
  .strictObject({ items: z.array(z.strictObject({ at: instant, text: z.string() })), asOf: instant, ...envelope })
  .meta({ id: 'RolloutNoteList' });

/** pause, resume, promote, abort, roll-back. */
export const controlRolloutBody = z.strictObject({ reason: z.string().max(1000).optional() });
export const approveRolloutBody = z.strictObject({
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'takes the hash of the rollout, 64 hex digits')
    .describe('The hash that was looked at: another one means that something was changed since.'),
  reason: z.string().max(1000).optional(),
});
export const retryRolloutBody = z.strictObject({
  what: z
    .enum(['failed', 'unreached'])
    .describe('failed: refused, failed, reverted, drifted, interrupted, expired. unreached: unreachable, not_run.'),
  reason: z.string().max(1000).optional(),
  ...rolloutOptions,
});
export const controlRolloutSchema = z
  .strictObject({
    taken: z.boolean().describe('false: asked for, and not yet carried out; follow it with watch.'),
    rollout: rolloutItemSchema,
    ...envelope,
  })
  .meta({ id: 'RolloutControlResult' });
