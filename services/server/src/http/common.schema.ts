import { canonicalKmodName, KmodNameError } from '@modfleet/proto';
import { z } from 'zod';

/** ISO 8601 in UTC with milliseconds, as every time in the API. */
export const instant = z.iso.datetime().describe('Time, ISO 8601 in UTC.');

/** Who froze the fleet and why; null when no freeze holds. On every JSON answer. */
export const freezeSchema = z
  .strictObject({
    by: z.string().describe('Name of the token that froze.'),
    reason: z.string(),
    at: instant,
  })
  .nullable()
  .describe('The freeze that holds: while it does, no action is dispatched to any host. Null for none.');

/** A reference to a host inside other answers. */
export const hostRef = z.strictObject({ id: z.uuid(), name: z.string() });

/** Why no command is sent or accepted. On every JSON answer while it is so, and absent otherwise. */
export const alarmSchema = z
  .strictObject({
    code: z
      .enum(['database_behind', 'epoch_raise_unfinished'])
      .describe('database_behind: a host has taken a command that this database does not know.'),
    at: instant,
    message: z.string().describe('What is wrong and the way out, for people.'),
    host: hostRef.nullable(),
    taken: z
      .strictObject({ epoch: z.int(), sequence: z.int(), actionId: z.uuid() })
      .nullable()
      .describe('The newest command that the host has taken.'),
    known: z.strictObject({ epoch: z.int(), sequence: z.int() }).nullable().describe('The newest that is known here.'),
  })
  .describe(
    'While this is there no action is dispatched to any host and none is accepted; all else goes on. Ended by "modfleet-server epoch raise".',
  );

/** Fields of every JSON answer object. */
export const envelope = { freeze: freezeSchema, alarm: alarmSchema.optional() };

export const coverageWord = z
  .enum(['fresh', 'stale', 'silent', 'incapable'])
  .describe(
    'fresh: observed within two intervals; stale: connected, observed longer ago; silent: not connected; incapable: cannot report (see reason).',
  );

export const coverageSchema = z
  .strictObject({
    total: z.int().min(0),
    fresh: z.int().min(0),
    stale: z.int().min(0),
    silent: z.int().min(0),
    incapable: z.int().min(0),
  })
  .describe(
    'How many of the hosts in question the answer rests on. Only fresh ones are known; the others are unknown.',
  );

/** Fields of every answer that counts hosts. */
export const counted = { asOf: instant, coverage: coverageSchema };

export const facetWord = z.enum(['loaded', 'parameters', 'available', 'devices', 'config']);
export const presenceWord = z.enum(['loaded', 'builtin', 'on_disk', 'absent']);

export const rungWord = z.enum([
  'blacklist',
  'install',
  'install_ineffective',
  'cmdline_blacklist',
  'cmdline_kernel',
  'cmdline_initcall',
  'modules_disabled',
  'initramfs',
  'alias',
]);

/** A kmod as /proc/modules and sysfs show it. */
export const loadedKmodSchema = z.strictObject({
  buildId: z.string().nullable(),
  size: z.int(),
  taint: z.string(),
  version: z.string().nullable(),
  srcversion: z.string().nullable(),
  state: z.enum(['live', 'loading', 'unloading']).nullable(),
});

export const blockSchema = z.strictObject({
  rung: rungWord,
  file: z.string(),
  line: z.int().min(0).describe('From 1; 0 where there is none.'),
  detail: z.string(),
});

export const blockedWord = z
  .enum(['no', 'partly', 'kernel'])
  .describe(
    'no: nothing blocks it; partly: some loaders are stopped, others are not; kernel: the kernel refuses every loader.',
  );

export const limitQuery = z
  .string()
  .optional()
  .transform((text, context) => {
    if (text === undefined) return 100;
    const limit = /^[0-9]{1,7}$/.test(text) ? Number(text) : NaN;
    if (!(limit >= 1 && limit <= 1000)) {
      context.addIssue({
        code: 'custom',
        message: `limit is a whole number from 1 to 1000, not ${JSON.stringify(text.slice(0, 32))}`,
        params: { code: 'limit_invalid' },
      });
      return z.NEVER;
    }
    return limit;
  })
  .describe('Items a page, 1 to 1000; 100 when absent.');

export const cursorQuery = z.string().min(1).max(2048).optional().describe('nextCursor of the page before; opaque.');

export const pageQuery = { limit: limitQuery, cursor: cursorQuery };

export const nextCursor = z.string().nullable().describe('Cursor of the next page; null on the last.');

export const selectorText = z
  .string()
  .max(4096)
  .describe('Selector, for example env=prod,@kernel~6.1.*; an empty one is an error.');

/** `true` or `false` in a query string. */
export const flagQuery = z
  .enum(['true', 'false'])
  .optional()
  .transform((text) => text === 'true');

/** A kmod name as people type it; becomes its canonical form. */
export const kmodNameInput = z
  .string()
  .transform((text, context) => {
    try {
      return canonicalKmodName(text);
    } catch (error) {
      if (!(error instanceof KmodNameError)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { code: error.code } });
      return z.NEVER;
    }
  })
  .describe('Kmod name: 1 to 55 characters of a-z, A-Z, 0-9, "_" and "-"; "-" and "_" are one.');

/** A glob over kmod or host names: `*` and `?`. */
export const globQuery = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9_.*?-]+$/, 'a name glob has letters, digits, "_", "-", ".", "*" and "?" only')
  .optional();

/** Exactly one way to name hosts. */
export const targetFields = {
  selector: selectorText.optional(),
  all: z.literal(true).optional().describe('All hosts.'),
  hosts: z.array(z.string().min(1).max(255)).min(1).max(10_000).optional().describe('Host ids or names.'),
};

/** Refuses a body that names hosts in no way, or in several. */
export function exactlyOneTarget(body: {
  selector?: string | undefined;
  all?: true | undefined;
  hosts?: string[] | undefined;
}): boolean {
  return [body.selector, body.all, body.hosts].filter((field) => field !== undefined).length === 1;
}
export const exactlyOneTargetMessage = 'name the hosts in exactly one way: "selector", "hosts", or "all": true';

/** A host in a path: its id, or its name when only one host has it. */
export const hostParam = z
  .string()
  .min(1)
  .max(255, 'a host id or name has at most 255 characters')
  .describe('Host id, or its name when only one host has it.');

/** A kmod in a path: what it may be is decided by the kmod feature, which knows aliases and drivers too. */
export const kmodParam = z
  .string()
  .max(1024)
  .describe('Kmod name, alias (for example pci:v00008086d000010D3sv*) or driver name.');

export const driverParam = z
  .string()
  .min(1)
  .max(255, 'a driver name has at most 255 characters')
  .regex(/^[\x20-\x7e]+$/, 'a driver name has printable ASCII characters only')
  .describe('Driver name; "-" and "_" are one.');

export const labelKey = z
  .string()
  .regex(
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/,
    'a label key has at most 63 letters, digits, "_", "." and "-", begins and ends with a letter or digit, and may have a prefix like example.com/',
  );
export const labelValue = z
  .string()
  .regex(
    /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/,
    'a label value has at most 63 letters, digits, "_", "." and "-", and begins and ends with a letter or digit',
  );
export const labelsSchema = z.record(labelKey, labelValue);

/** RFC 9457 problem document. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong and the way out, for people.'),
    code: z.string().describe('Stable word for programs; listed in docs/api.md.'),
    requestId: z.string().describe('Id to find in the server log.'),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    offset: z.int().optional().describe('Character of the selector at which it is wrong, from 0.'),
    candidates: z.array(z.string()).optional().describe('What may have been meant.'),
    retryAfterSeconds: z.int().optional(),
  })
  .meta({ id: 'Problem' });
