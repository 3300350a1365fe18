import { z } from 'zod';
import { ACCOUNT_NAME, ACCOUNT_NAME_WORDS } from '../access/account-name.ts';
import { PERMISSIONS, type Permission, ROLES } from '../access/roles.ts';
import { ROUTE_TABLE } from '../access/route-table.ts';
import { TOKEN_NAME } from '../access/token-name.ts';
import { waysInFields } from '../sign-in/sign-in.schema.ts';
import { envelope, flagQuery, instant, nextCursor, pageQuery } from '../http/common.schema.ts';

export const accountKindWord = z.enum(['person', 'service']);
export const roleWord = z.enum(ROLES).describe('What each may do: docs/access.md.');
const accountRef = z.strictObject({ id: z.uuid(), name: z.string() });
const accountInput = z.string().min(1).max(100).describe('Account: its id or name.');
const sealed = z.boolean().describe('False: changed outside the server; it gives nothing.');

export const createAccountBody = z.strictObject({
  name: z.string().regex(ACCOUNT_NAME, ACCOUNT_NAME_WORDS),
  kind: accountKindWord.optional().describe('`service` when absent: a program, with API tokens alone.'),
});
export const emptyBody = z.strictObject({});

const accountFields = {
  id: z.uuid(),
  name: z.string(),
  kind: accountKindWord,
  createdBy: z.string(),
  createdAt: instant,
  disabledAt: instant.nullable(),
  disabledBy: z.string().nullable(),
  sealed,
  ...waysInFields,
};
export const accountItemSchema = z.strictObject(accountFields).meta({ id: 'AccountItem' });
export const accountSchema = z.strictObject({ ...accountFields, ...envelope }).meta({ id: 'Account' });
export const disabledAccountSchema = z
  .strictObject({
    ...accountFields,
    tokensEnded: z.int().describe('API tokens of the account that were good and are revoked by this.'),
    ...envelope,
  })
  .meta({ id: 'DisabledAccount' });
export const accountListQuery = z.strictObject(pageQuery);
export const accountListSchema = z
  .strictObject({ items: z.array(accountItemSchema), nextCursor, ...envelope })
  .meta({ id: 'AccountList' });

export const addGrantBody = z
  .strictObject({
    account: accountInput,
    role: roleWord,
    selector: z
      .string()
      .max(4096)
      .optional()
      .describe('Hosts that the grant is narrowed to, by labels alone (env=staging). Instead of `all`.'),
    all: z.literal(true).optional().describe('The whole fleet.'),
  })
  .refine((body) => (body.all === true) !== (body.selector !== undefined), {
    error: 'say over which hosts in exactly one way: "selector", or "all": true',
  });
const grantFields = {
  id: z.uuid(),
  account: accountRef,
  role: roleWord,
  selector: z.string().nullable().describe('Null: the whole fleet.'),
  createdBy: z.string(),
  createdAt: instant,
  endsAt: instant
    .nullable()
    .describe(
      'It gives nothing from then on, unless a sign-in renews it: a group gave it. Null: until it is taken back.',
    ),
  ended: z.boolean().describe('It has ended by itself.'),
  revokedAt: instant.nullable(),
  revokedBy: z.string().nullable(),
  sealed,
};
export const grantItemSchema = z.strictObject(grantFields).meta({ id: 'GrantItem' });
export const grantSchema = z.strictObject({ ...grantFields, ...envelope }).meta({ id: 'Grant' });
export const grantListQuery = z.strictObject({
  account: accountInput.optional(),
  includeRevoked: flagQuery,
  ...pageQuery,
});
export const grantListSchema = z
  .strictObject({ items: z.array(grantItemSchema), nextCursor, ...envelope })
  .meta({ id: 'GrantList' });

const routeWord = z
  .string()
  .refine((route) => Object.hasOwn(ROUTE_TABLE, route), {
    error: ({ input }) =>
      `${JSON.stringify(String(input).slice(0, 100))} is no route of this API: write it as docs/api.md does, for example "GET /api/v1/hosts"`,
  })
  .describe('Method and pattern, for example `GET /api/v1/hosts/:host`.');

export const createTokenBody = z.strictObject({
  account: accountInput.optional().describe('Whose token; your own when absent.'),
  name: z.string().min(1).max(100).regex(TOKEN_NAME, 'a token name has no control or invisible characters').optional(),
  expiresIn: z
    .int()
    .min(1)
    .max(3_153_600_000)
    .nullable()
    .optional()
    .describe('Seconds; 90 days when absent; null: until it is revoked.'),
  routes: z
    .array(routeWord)
    .min(1)
    .max(100)
    .optional()
    .describe('The only routes it may call; absent: all that the account may.'),
});
const tokenFields = {
  id: z.uuid(),
  account: accountRef.nullable().describe('Null: made by a server of an earlier version; it gives nothing.'),
  name: z.string(),
  prefix: z.string().describe('First characters of the token, to tell tokens apart.'),
  routes: z.array(z.string()).nullable(),
  createdBy: z.string(),
  createdAt: instant,
  expiresAt: instant.nullable(),
  lastUsedAt: instant.nullable().describe('To the minute.'),
  revokedAt: instant.nullable(),
  revokedBy: z.string().nullable(),
  state: z
    .enum(['open', 'expired', 'revoked', 'account_disabled'])
    .describe('account_disabled: not revoked, and gives nothing.'),
  sealed,
};
export const tokenItemSchema = z.strictObject(tokenFields).meta({ id: 'ApiTokenItem' });
export const tokenSchema = z.strictObject({ ...tokenFields, ...envelope }).meta({ id: 'ApiToken' });
export const createdTokenSchema = z
  .strictObject({ ...tokenFields, token: z.string().describe('The secret. Shown only now.'), ...envelope })
  .meta({ id: 'CreatedApiToken' });
export const tokenListQuery = z.strictObject({
  account: accountInput.optional().describe('Account: its id or name. Absent: all that you may see.'),
  includeEnded: flagQuery,
  ...pageQuery,
});
export const tokenListSchema = z
  .strictObject({ items: z.array(tokenItemSchema), nextCursor, ...envelope })
  .meta({ id: 'ApiTokenList' });

export const meSchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string(), kind: accountKindWord }),
    credential: z.strictObject({
      kind: z.enum(['token', 'session']),
      id: z.uuid(),
      expiresAt: instant.nullable(),
      routes: z.array(z.string()).nullable().describe('Null: all that the account may.'),
    }),
    address: z.string().describe('Where the server sees you.'),
    grants: z.array(z.strictObject({ id: z.uuid(), role: roleWord, selector: z.string().nullable() })),
    brokenGrants: z.int().describe('Grants that were changed outside the server: they give nothing.'),
    may: z
      .array(
        z.strictObject({
          what: z.enum(Object.keys(PERMISSIONS) as [Permission, ...Permission[]]),
          over: z.union([z.literal('fleet'), z.array(z.string())]).describe('`fleet`, or selectors of hosts.'),
        }),
      )
      .describe('What the grants give together.'),
    ...envelope,
  })
  .meta({ id: 'Me' });
