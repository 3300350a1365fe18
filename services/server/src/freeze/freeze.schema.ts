import { z } from 'zod';
import { envelope } from '../http/common.schema.ts';

export const freezeBody = z.strictObject({
  reason: z.string().trim().min(1, 'say why the fleet is frozen').max(1000),
});
export const thawBody = z.strictObject({});
export const freezeAnswerSchema = z.strictObject({ ...envelope }).meta({ id: 'FreezeAnswer' });
