import { z } from 'zod';
import { hostHealthSchema } from '../actions/actions.schema.ts';

const kmodAnswers = z.json();

/** What one replica says to another. Everything here may be lost: it only wakes up, or carries an answer that somebody waits for. */
export const replicaMessage = z.discriminatedUnion('kind', [
  /** Something may have to be sent to a host of yours: look at the rows. */
  z.strictObject({ kind: z.literal('drive_host'), hostId: z.uuid() }),
  /** Ask a host of yours to take back an action. */
  z.strictObject({ kind: z.literal('cancel'), hostId: z.uuid(), actionId: z.uuid() }),
  /** Ask hosts of yours now, and send what they answer to `asker`. */
  z.strictObject({
    kind: z.literal('ask'),
    queryId: z.uuid(),
    asker: z.uuid(),
    kmods: z.array(z.string()),
    health: z.boolean().default(false),
    hostIds: z.array(z.uuid()),
    timeoutMs: z.int(),
  }),
  /** What a host answered, in the shape of the API; `error` when it could not. */
  z.strictObject({
    kind: z.literal('answer'),
    queryId: z.uuid(),
    hostId: z.uuid(),
    kmods: kmodAnswers,
    health: hostHealthSchema.nullable().optional(),
    error: z.string(),
  }),
  /** A host that was asked for is not connected here any more. */
  z.strictObject({ kind: z.literal('not_here'), queryId: z.uuid(), hostIds: z.array(z.uuid()) }),
]);
export type ReplicaMessage = z.output<typeof replicaMessage>;
export type ReplicaMessageKind = ReplicaMessage['kind'];
export type MessageOf<K extends ReplicaMessageKind> = Extract<ReplicaMessage, { kind: K }>;
