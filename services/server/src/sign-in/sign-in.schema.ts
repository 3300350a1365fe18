import { z } from 'zod';
import { envelope, instant, nextCursor, pageQuery } from '../http/common.schema.ts';
import { PASSWORD_STANDINGS } from './passwords/password-standing.ts';

/** Longer than any password that is taken: what is longer is wrong, and is not hashed. */
const password = z.string().min(1).max(1024);

/** What is done follows from the path and the caller alone. */
export const emptyBody = z.strictObject({});

export const loginBody = z.strictObject({
  user: z.string().min(1).max(100).describe('Name of the account.'),
  password,
  newPassword: password
    .optional()
    .describe(
      'Takes the place of the password; needed with a one-time password. All other sign-ins of the account end.',
    ),
  carrier: z
    .enum(['cookie', 'bearer'])
    .describe('cookie: for browsers, scripts cannot read it. bearer: the secret is in the answer, for command lines.'),
});

export const signedInSchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string() }),
    signInId: z.uuid(),
    expiresAt: instant.describe('It ends then in any case.'),
    idleSeconds: z.int().describe('It ends after so long without use.'),
    secret: z
      .string()
      .nullable()
      .describe('For "Authorization: Bearer"; shown only now. Null where a cookie carries it.'),
  })
  .meta({ id: 'SignedIn' });

export const logoutSchema = z
  .strictObject({ signInId: z.uuid(), endedAt: instant, ...envelope })
  .meta({ id: 'LoggedOut' });

export const changePasswordBody = z.strictObject({ password, newPassword: password });
export const changedPasswordSchema = z
  .strictObject({ signInsEnded: z.int().describe('Other sign-ins of the account that ended by it.'), ...envelope })
  .meta({ id: 'ChangedPassword' });

export const oidcStartQuery = z.strictObject({
  returnTo: z
    .string()
    .max(1024)
    .regex(/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/, 'returnTo is a path of this server, beginning with one "/"')
    .optional()
    .describe('Path to go on to; / when absent.'),
});

export const deviceOfferSchema = z
  .strictObject({
    userCode: z.string().describe('What the person types at the provider.'),
    verificationUri: z.string(),
    verificationUriComplete: z.string().nullable(),
    expiresInSeconds: z.int(),
    intervalSeconds: z.int().describe('Not to be asked more often.'),
    pending: z.string().describe('Sealed; sent back at each poll.'),
  })
  .meta({ id: 'DeviceOffer' });
export const devicePollBody = z.strictObject({ pending: z.string().min(1).max(4096) });
export const devicePendingSchema = z
  .strictObject({
    state: z.literal('pending'),
    slower: z.boolean().describe('Asked too often: wait 5 s more from now on.'),
  })
  .meta({ id: 'DevicePending' });

const signInFields = {
  id: z.uuid(),
  account: z.strictObject({ id: z.uuid(), name: z.string() }),
  way: z.enum(['password', 'oidc']),
  carrier: z.enum(['cookie', 'bearer']),
  place: z.string().describe('Address that it was made from; of IPv6 the first half.'),
  agent: z.string().describe('What the program called itself.'),
  createdAt: instant,
  lastUsedAt: instant,
  expiresAt: instant,
  current: z.boolean().describe('The one that asks.'),
};
export const signInItemSchema = z.strictObject(signInFields).meta({ id: 'SignInItem' });
const tokensAfterFields = {
  tokensEnded: z.int().describe('API tokens of the account that were good and are revoked by this.'),
  apiTokens: z
    .int()
    .describe('API tokens of the account that go on being good: they do not end with a sign-in or a password.'),
};
/** What ends a way in may end the account's API tokens with it. */
export const endTokensBody = z.strictObject({
  endTokens: z.boolean().optional().describe('Revoke all API tokens of the account with it.'),
});
export const endedSignInSchema = z
  .strictObject({ ...signInFields, endedAt: instant, ...tokensAfterFields, ...envelope })
  .meta({ id: 'EndedSignIn' });
export const signInListQuery = z.strictObject({
  ...pageQuery,
  account: z.string().min(1).max(100).optional().describe('Of this account (name or id); admins only for others.'),
  all: z.literal('true').optional().describe('Of all accounts; admins only.'),
});
export const signInListSchema = z
  .strictObject({ items: z.array(signInItemSchema), nextCursor, ...envelope })
  .meta({ id: 'SignInList' });

export const oneTimePasswordSchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string() }),
    password: z.string().describe('Good for one sign-in, which chooses another. Shown only now.'),
    expiresAt: instant,
    signInsEnded: z.int(),
    disabled: z.boolean().describe('The account is disabled: nobody signs in with it before it is enabled.'),
    ...tokensAfterFields,
    ...envelope,
  })
  .meta({ id: 'OneTimePassword' });

export const linkIdentityBody = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(255)
    .describe('Claim "sub" of the person at the identity provider (OpenID Connect: at most 255 ASCII characters).'),
});
export const linkedIdentitySchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string() }),
    issuer: z.string(),
    subject: z.string(),
    ...envelope,
  })
  .meta({ id: 'LinkedIdentity' });

/** Of an account, wherever it is shown. */
export const waysInFields = {
  password: z
    .enum(PASSWORD_STANDINGS)
    .describe('`one_time`: given by an admin. `broken`: changed outside the server; nobody signs in with it.'),
  identities: z
    .array(
      z.strictObject({
        issuer: z.string(),
        subject: z.string(),
        linkedBy: z.string(),
        linkedAt: instant,
        lastUsedAt: instant.nullable(),
        sealed: z.boolean().describe('False: changed outside the server; it signs nobody in.'),
      }),
    )
    .describe('Who signs in as the account at an identity provider.'),
};
export const waysLeftSchema = z
  .strictObject({
    ...waysInFields,
    apiTokens: z.int().describe('API tokens of the account that are good.'),
    groupGrants: z.int().describe("Grants that the identity provider's groups gave, and that stand."),
  })
  .meta({ id: 'WaysLeft' });

export const removedPasswordSchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string() }),
    signInsEnded: z.int().describe('Sign-ins that were begun with a password.'),
    left: waysLeftSchema,
    ...envelope,
  })
  .meta({ id: 'RemovedPassword' });
export const unlinkIdentityBody = z.strictObject({
  subject: linkIdentityBody.shape.subject,
  issuer: z.string().min(1).max(1024).optional().describe('Needed where the account has the subject at several.'),
});
export const unlinkedIdentitySchema = z
  .strictObject({
    account: z.strictObject({ id: z.uuid(), name: z.string() }),
    issuer: z.string(),
    subject: z.string(),
    signInsEnded: z.int().describe('Sign-ins of the account that were begun through an identity provider.'),
    left: waysLeftSchema,
    ...envelope,
  })
  .meta({ id: 'UnlinkedIdentity' });
