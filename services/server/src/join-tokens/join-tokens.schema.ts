import { z } from 'zod';
import { TOKEN_NAME } from '../access/token-name.ts';
import { envelope, instant, labelsSchema, nextCursor, pageQuery } from '../http/common.schema.ts';

export const createJoinTokenBody = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(100)
    .regex(TOKEN_NAME, 'a join token name has no control or invisible characters')
    .optional(),
  maxUses: z.int().min(1).max(100_000).optional().describe('Hosts that may join by it; 1 when absent.'),
  expiresIn: z.int().min(1).max(86_400).optional().describe('Seconds; 1800 when absent.'),
  labels: labelsSchema.optional().describe('Labels of the hosts that join by it.'),
});

const joinTokenFields = {
  id: z.uuid(),
  name: z.string(),
  prefix: z.string().describe('First characters of the token, to tell tokens apart.'),
  labels: z.record(z.string(), z.string()),
  maxUses: z.int(),
  uses: z.int(),
  expiresAt: instant,
  revokedAt: instant.nullable(),
  createdBy: z.string(),
  createdAt: instant,
  state: z
    .enum(['open', 'used_up', 'expired', 'revoked', 'broken'])
    .describe('`broken`: made or changed outside the server; it lets no machine in.'),
};

export const joinTokenSchema = z.strictObject({ ...joinTokenFields, ...envelope }).meta({ id: 'JoinToken' });
export const joinTokenItemSchema = z.strictObject(joinTokenFields).meta({ id: 'JoinTokenItem' });
export const createdJoinTokenSchema = z
  .strictObject({
    ...joinTokenFields,
    joinString: z.string().describe('What an agent joins with: the token and the pin of the CA. Shown only now.'),
    ...envelope,
  })
  .meta({ id: 'CreatedJoinToken' });

export const joinTokenListQuery = z.strictObject(pageQuery);
export const joinTokenListSchema = z
  .strictObject({ items: z.array(joinTokenItemSchema), nextCursor, ...envelope })
  .meta({ id: 'JoinTokenList' });
