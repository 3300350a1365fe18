import { z } from 'zod';
import { ERROR_TABLE } from '../errors/error-table.ts';
import { nearest } from '../errors/nearest.ts';
import { envelope, instant, kmodNameInput, nextCursor, pageQuery } from '../http/common.schema.ts';
import { AUDIT_ALARMS } from './audit-alarms.ts';
import { AUDIT_WHATS } from './audit.model.ts';
import { AUDIT_PROBLEMS } from './verify.model.ts';

const OUTCOMES = ['allowed', ...Object.keys(ERROR_TABLE)];
const KINDS = [...new Set(AUDIT_WHATS.map((what) => what.split('.')[0] ?? what))];

/** A word that is none would be answered as one that never happened. */
function outcomeWords(input: unknown): string {
  const near = typeof input === 'string' ? nearest(input, OUTCOMES) : [];
  const hint = near.length === 0 ? 'docs/api.md has the codes' : `did you mean ${near.join(', ')}?`;
  return `outcome is "allowed" or the code of a refusal; ${hint}`;
}

export const auditListQuery = z.strictObject({
  who: z.string().min(1).max(255).optional().describe('Name or id of the token, account or host that decided.'),
  host: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .describe('Id of a host, retired ones too, or its name when only one host has it.'),
  kmod: kmodNameInput.optional(),
  what: z
    .enum([...AUDIT_WHATS, ...KINDS], { error: `what is one of ${[...KINDS, ...AUDIT_WHATS].join(', ')}` })
    .optional()
    .describe('A kind of decision, or the word before its dot for all of its kinds.'),
  outcome: z
    .enum(OUTCOMES, { error: ({ input }) => outcomeWords(input) })
    .optional()
    .describe('`allowed`, or the code of a refusal.'),
  since: instant.optional(),
  until: instant.optional(),
  ...pageQuery,
});

export const auditRowSchema = z
  .strictObject({
    id: z.string().describe('replica.lane.number: where the row stands.'),
    at: instant,
    who: z.strictObject({ kind: z.string(), id: z.string().nullable(), name: z.string() }),
    from: z.strictObject({ via: z.string(), address: z.string().nullable(), requestId: z.string().nullable() }),
    what: z.string(),
    object: z.string().nullable().describe('Id of what it is about.'),
    kmod: z.string().nullable(),
    selector: z.string().nullable().describe('As given.'),
    targets: z.strictObject({
      count: z.int(),
      root: z.string().describe('Merkle root (RFC 6962, SHA-256, hex) over the sorted host ids.'),
      hosts: z.array(z.string()).describe('The first 100 of them.'),
    }),
    reason: z.string().nullable(),
    details: z.string().nullable().describe('Canonical JSON, as it is under the mac.'),
    outcome: z.string().describe('`allowed`, or the code of the refusal.'),
    keyDigest: z.string().nullable().describe('SHA-256 of the Idempotency-Key, hex.'),
    intact: z
      .boolean()
      .describe('Whether the row agrees with its mac. That no row is missing is for GET /api/v1/audit/verify.'),
  })
  .meta({ id: 'AuditRow' });

export const auditAlarmSchema = z
  .strictObject({ code: z.enum(AUDIT_ALARMS), text: z.string(), since: instant })
  .meta({ id: 'AuditAlarm' });

export const auditListSchema = z
  .strictObject({
    items: z.array(auditRowSchema),
    nextCursor,
    asOf: instant,
    alarms: z.array(auditAlarmSchema).describe('What is wrong with the audit log, as far as this replica knows.'),
    ...envelope,
  })
  .meta({ id: 'AuditList' });

export const auditProblemSchema = z.strictObject({
  kind: z.enum(AUDIT_PROBLEMS),
  row: z.string().nullable(),
  seal: z.int().nullable(),
  text: z.string(),
});

export const auditReportSchema = z
  .strictObject({
    intact: z.boolean(),
    firstBadRow: z.string().nullable(),
    problemCount: z.int(),
    problems: z.array(auditProblemSchema).describe('The first 100, in the order of the log.'),
    rows: z.int(),
    sealedRows: z.int(),
    unsealedRows: z.int(),
    unsealedAgeMs: z.int().nullable().describe('Age of the oldest row without a seal; null when there is none.'),
    seals: z.int(),
    lastSeal: z.strictObject({ number: z.int(), at: instant }).nullable(),
    exported: z
      .strictObject({ seals: z.int(), last: z.int().nullable() })
      .nullable()
      .describe('Seals of the exported file that was compared with; null: there was none.'),
    macsChecked: z.boolean(),
    appendOnly: z.strictObject({ enforced: z.boolean(), why: z.string() }),
    proven: z.array(z.string()),
    notProven: z.array(z.string()),
    publicKey: z.string().describe('The key that the seals are signed by, PEM.'),
    alarms: z.array(auditAlarmSchema),
    durationMs: z.int(),
  })
  .meta({ id: 'AuditReport' });

export const auditProgressSchema = z.strictObject({ rows: z.int(), of: z.int() });
export const auditVerifyLineSchema = z
  .discriminatedUnion('event', [
    z.strictObject({ event: z.literal('progress'), data: auditProgressSchema }),
    z.strictObject({ event: z.literal('report'), data: auditReportSchema }),
  ])
  .meta({ id: 'AuditVerifyLine' });
