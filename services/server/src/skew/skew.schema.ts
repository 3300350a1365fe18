import { z } from 'zod';
import {
  counted,
  cursorQuery,
  envelope,
  flagQuery,
  globQuery,
  hostRef,
  instant,
  limitQuery,
  nextCursor,
  selectorText,
} from '../http/common.schema.ts';

export const SKEW_KINDS = ['build', 'version', 'signer', 'file', 'out_of_tree', 'unsigned'] as const;
export type SkewKind = (typeof SKEW_KINDS)[number];

const kindsQuery = z
  .string()
  .transform((text, context) => {
    const words = text.split(',').map((word) => word.trim());
    const wrong = words.find((word) => !SKEW_KINDS.some((each) => each === word));
    if (wrong === undefined) return [...new Set(words)] as SkewKind[];
    context.addIssue({
      code: 'custom',
      message: `kind: ${JSON.stringify(wrong.slice(0, 40))} is none of ${SKEW_KINDS.join(', ')}`,
    });
    return z.NEVER;
  })
  .optional()
  .describe(`Comma-separated: ${SKEW_KINDS.join(', ')}. Absent: all.`);

export const skewListQuery = z.strictObject({
  name: globQuery,
  kind: kindsQuery,
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  limit: limitQuery,
  cursor: cursorQuery,
});

export const skewQuery = z.strictObject({
  selector: selectorText.optional(),
  includeUnknown: flagQuery,
  limit: limitQuery,
  cursor: cursorQuery,
});

const selectorUnknown = z
  .int()
  .describe('Hosts left out because a fact in the selector is unknown of them; includeUnknown takes them in.');

const oddOnes = z
  .strictObject({
    kernels: z
      .int()
      .describe('Kernels (release, build and architecture) under which it is loaded in more than one way.'),
    hosts: z.int().describe('Hosts that are not as most hosts of their kernel are.'),
  })
  .describe('Compared among hosts of one kernel alone: another kernel naturally has other builds.');

const firstEvent = z
  .strictObject({
    at: instant,
    host: hostRef,
    kind: z.enum(['loaded', 'changed']),
    actionId: z.uuid().nullable(),
  })
  .nullable()
  .describe(
    'The first event on record of its coming: who had it first. Null: none; it was there when its hosts first reported, or events of then are not kept any more.',
  );

export const skewItemSchema = z
  .strictObject({
    name: z.string(),
    hosts: z.int().describe('Fresh hosts that have it loaded; the others are in no figure here.'),
    builds: oddOnes,
    versions: oddOnes,
    signers: oddOnes,
    fileDiffers: z
      .int()
      .describe('Hosts where the file on disk has another build id: a reload or reboot runs other code.'),
    fileMissing: z
      .int()
      .describe('Hosts whose tree has no file of it: it was loaded from elsewhere, or its package is gone.'),
    fileUnknown: z.int().describe('Hosts of which it is not known what is on disk.'),
    outOfTree: z.int().describe('Hosts where the kernel marks it out-of-tree (taint letter O).'),
    unsigned: z
      .int()
      .describe(
        'Hosts where the kernel marks it unsigned (taint letter E), or its file names no signer while others there do.',
      ),
    first: firstEvent,
  })
  .meta({ id: 'KmodSkewItem' });

export const skewListSchema = z
  .strictObject({ items: z.array(skewItemSchema), nextCursor, selectorUnknown, ...counted, ...envelope })
  .meta({ id: 'KmodSkewList' });

export const skewVariantSchema = z
  .strictObject({
    kernel: z.strictObject({
      release: z.string(),
      version: z.string().describe('Build of the kernel, as uname -v says it.'),
      architecture: z.string(),
    }),
    buildId: z.string().nullable(),
    version: z.string().nullable(),
    srcversion: z.string().nullable(),
    taint: z.string(),
    outOfTree: z.boolean(),
    unsigned: z.boolean(),
    signer: z.string().nullable().describe('Whom the file on disk names; null: nobody, or there is no file.'),
    file: z
      .enum(['same', 'differs', 'missing', 'unknown'])
      .describe('The file on disk beside what is loaded, by build id.'),
    hosts: z.int(),
    mostCommon: z.boolean().describe('No other is on more hosts of this kernel.'),
    examples: z.array(hostRef).describe('Some of its hosts, by name; 10 at most.'),
    oldest: z
      .strictObject({ host: hostRef, receivedAt: instant })
      .describe('The host whose present inventory with it came in first.'),
  })
  .meta({ id: 'KmodSkewVariant' });

export const parameterSkewSchema = z
  .strictObject({
    compared: z.int().describe('Hosts whose parameters were compared: at most 2,000.'),
    of: z
      .int()
      .describe('Hosts that have it loaded; of the others the parameters are not fresh, or were not looked at.'),
    differing: z.array(
      z.strictObject({
        parameter: z.string(),
        valueCount: z.int(),
        values: z
          .array(
            z.strictObject({
              value: z.string().nullable().describe('Null: the host cannot read it.'),
              hosts: z.int(),
              examples: z.array(hostRef),
            }),
          )
          .describe('The most frequent first; 10 at most.'),
      }),
    ),
  })
  .nullable()
  .describe('Parameters with more than one value. On the first page alone.');

export const skewSchema = z
  .strictObject({
    name: z.string().describe('Canonical kmod name.'),
    requested: z.string().describe('As asked.'),
    resolvedBy: z.enum(['name', 'alias', 'driver']),
    candidates: z.array(z.string()).optional().describe('Other kmods that the alias or driver name also stands for.'),
    hosts: z.int().describe('Fresh hosts that have it loaded.'),
    items: z.array(skewVariantSchema).describe('By kernel; of each kernel the most frequent first.'),
    nextCursor,
    parameters: parameterSkewSchema,
    first: firstEvent,
    selectorUnknown,
    ...counted,
    ...envelope,
  })
  .meta({ id: 'KmodSkew' });
