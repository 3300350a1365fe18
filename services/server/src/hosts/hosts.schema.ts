import { z } from 'zod';
import { sightingSchema } from './host-access.schema.ts';
import { JOURNAL_DAMAGES } from '../enrollment/host-facts.ts';
import {
  blockSchema,
  counted,
  coverageWord,
  cursorQuery,
  envelope,
  exactlyOneTarget,
  exactlyOneTargetMessage,
  facetWord,
  flagQuery,
  globQuery,
  hostRef,
  instant,
  labelKey,
  labelValue,
  limitQuery,
  nextCursor,
  presenceWord,
  selectorText,
  targetFields,
} from '../http/common.schema.ts';

export const connectionWord = z.enum(['connected', 'silent', 'retired', 'revoked', 'quarantined']);

const hostSummaryFields = {
  id: z.uuid(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  mode: z.string().describe('observe or act, as the host says.'),
  connected: z.boolean(),
  connection: connectionWord,
  lastSeenAt: instant.nullable(),
  kernelRelease: z.string(),
  os: z.string(),
  architecture: z.string(),
  agentVersion: z.string(),
  coverage: z.strictObject({
    loaded: coverageWord,
    parameters: coverageWord,
    available: coverageWord,
    devices: coverageWord,
    config: coverageWord,
  }),
  quarantineReason: z.string().nullable(),
  retiredAt: instant.nullable(),
  revokedAt: instant.nullable(),
  caTrust: z
    .enum(['current', 'behind', 'unknown'])
    .describe(
      'Whether it trusts the CAs that count now and has a certificate by the one that issues; unknown: its agent does not say (never connected, or older than rotations).',
    ),
};

export const hostSummarySchema = z.strictObject(hostSummaryFields).meta({ id: 'HostSummary' });

export const hostListQuery = z.strictObject({
  selector: selectorText.optional(),
  name: globQuery,
  limit: limitQuery,
  cursor: cursorQuery,
  includeUnknown: flagQuery.describe('true: also hosts of which a fact in the selector is unknown.'),
  includeRetired: flagQuery.describe('true: also retired hosts.'),
});

export const hostListSchema = z
  .strictObject({
    items: z.array(hostSummarySchema),
    nextCursor,
    matched: z.int().min(0).describe('Hosts that the selector matches, over all pages.'),
    unknown: z.int().min(0).describe('Hosts of which a fact in the selector is unknown.'),
    ...counted,
    ...envelope,
  })
  .meta({ id: 'HostList' });

export const hostFacetSchema = z.strictObject({
  facet: facetWord,
  coverage: coverageWord,
  observedAt: instant.nullable(),
  ageMs: z.int().min(0).nullable(),
  reason: z.string().nullable().describe('Why the host cannot report it.'),
  digest: z.string().nullable().describe('SHA-256, hex.'),
});

export const hostSchema = z
  .strictObject({
    ...hostSummaryFields,
    facts: z.strictObject({
      hostname: z.string(),
      machineId: z.string(),
      kernelVersion: z.string(),
      osId: z.string(),
      osVersionId: z.string(),
      osPrettyName: z.string(),
      packageFamily: z.string(),
      virtualization: z.string(),
    }),
    policy: z.strictObject({ allow: z.array(z.string()), deny: z.array(z.string()), protected: z.array(z.string()) }),
    facets: z.array(hostFacetSchema),
    counts: z.strictObject({ loaded: z.int().nullable(), builtin: z.int().nullable(), onDisk: z.int().nullable() }),
    modulesDisabled: z.boolean().nullable(),
    lockdown: z.string().nullable(),
    sigEnforce: z.boolean().nullable(),
    secureBoot: z.boolean().nullable(),
    unreadable: z.array(z.string()).describe('What the agent could not read of the configuration.'),
    journalDamage: z
      .strictObject({ kind: z.enum(JOURNAL_DAMAGES), since: instant })
      .nullable()
      .describe(
        'What was damaged of its action journal, as told by the agent that runs now; since: when the server heard of it.',
      ),
    revokeReason: z.string().nullable(),
    certificate: z.strictObject({
      number: z.int().describe('Which of the host’s certificates was issued last.'),
      notAfter: instant.nullable().describe('Its end; null: not renewed since an older server issued it.'),
      renewedAt: instant.nullable(),
    }),
    machines: z
      .array(sightingSchema)
      .describe('While it is in quarantine: the machines that were seen with its identity.'),
    ca: z.strictObject({
      trusts: z.array(z.string()).describe('SHA-256 of the certificate of each CA that it trusts, hex.'),
      certificateBy: z.string().nullable().describe('SHA-256 of the certificate of the CA that made its own, hex.'),
    }),
    enrolledAt: instant,
    address: z.string().nullable(),
    bootId: z.string().nullable(),
    asOf: instant,
    ...envelope,
  })
  .meta({ id: 'Host' });

export const hostKmodSchema = z
  .strictObject({
    name: z.string(),
    presence: presenceWord,
    state: z.enum(['live', 'loading', 'unloading']).nullable(),
    buildId: z.string().nullable(),
    size: z.int().nullable(),
    taint: z.string(),
    version: z.string().nullable(),
    srcversion: z.string().nullable(),
    fileDiffers: z
      .boolean()
      .nullable()
      .describe('The loaded build id is not that of the file on disk; null when either is unknown.'),
    path: z.string().nullable().describe('Below /lib/modules/RELEASE.'),
    parameters: z.record(z.string(), z.string().nullable()),
    blocks: z.array(blockSchema),
  })
  .meta({ id: 'HostKmod' });

export const hostKmodsQuery = z.strictObject({
  presence: z.string().optional().describe('Comma-separated: loaded, builtin, on_disk, any. Absent: loaded,builtin.'),
  name: globQuery,
  limit: limitQuery,
  cursor: cursorQuery,
});

const facetStanding = {
  coverage: coverageWord,
  observedAt: instant.nullable(),
  ageMs: z.int().min(0).nullable(),
  reason: z.string().nullable(),
};

export const hostKmodsSchema = z
  .strictObject({
    host: hostRef,
    items: z.array(hostKmodSchema),
    nextCursor,
    counts: z.strictObject({ loaded: z.int().nullable(), builtin: z.int().nullable(), onDisk: z.int().nullable() }),
    asOf: instant,
    facets: z.strictObject({
      loaded: z.strictObject(facetStanding),
      available: z.strictObject(facetStanding),
      config: z.strictObject(facetStanding),
    }),
    ...envelope,
  })
  .meta({ id: 'HostKmodList' });

export const deviceSchema = z
  .strictObject({
    bus: z.string(),
    address: z.string(),
    modalias: z.string(),
    driver: z.string().describe('Empty when unbound.'),
    kmod: z.string().nullable(),
    builtin: z.boolean(),
    names: z.array(z.string()),
  })
  .meta({ id: 'Device' });

export const hostDevicesQuery = z.strictObject({
  driver: z.string().min(1).max(255).optional(),
  bus: z.string().min(1).max(64).optional(),
  limit: limitQuery,
  cursor: cursorQuery,
});

export const hostDevicesSchema = z
  .strictObject({
    host: hostRef,
    items: z.array(deviceSchema),
    nextCursor,
    asOf: instant,
    ...facetStanding,
    ...envelope,
  })
  .meta({ id: 'HostDeviceList' });

export const labelHostsBody = z
  .strictObject({
    ...targetFields,
    labels: z.record(labelKey, labelValue.nullable()).describe('Labels to set; null removes one.'),
  })
  .refine((body) => Object.keys(body.labels).length > 0, {
    message: 'name at least one label to set or remove',
    path: ['labels'],
  })
  .refine(exactlyOneTarget, { message: exactlyOneTargetMessage });

export const labelHostsSchema = z
  .strictObject({
    matched: z.int(),
    changed: z.int(),
    hosts: z.array(hostRef).describe('The hosts whose labels changed; at most the first 1000.'),
    unknown: z.int().describe('Hosts left alone because a fact in the selector is unknown of them.'),
    ...envelope,
  })
  .meta({ id: 'LabelResult' });

export const retireHostBody = z.strictObject({ reason: z.string().max(1000).optional() });
export const retireHostSchema = z
  .strictObject({
    host: hostRef,
    retiredAt: instant,
    retiredBy: z.string(),
    reason: z.string().nullable(),
    ...envelope,
  })
  .meta({ id: 'RetiredHost' });
