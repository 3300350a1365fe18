import { z } from 'zod';

/** What replicas say to each other of sessions, over the bus. Lost messages cost time only. */
export const sessionMail = z.discriminatedUnion('kind', [
  /** Is this session alive? Ask its host. */
  z.strictObject({
    kind: z.literal('probe'),
    hostId: z.uuid(),
    sessionNo: z.int(),
    askId: z.uuid(),
    replyTo: z.uuid(),
  }),
  /** The host answered. (No answer: no message.) */
  z.strictObject({ kind: z.literal('alive'), askId: z.uuid() }),
  /** A newer session of this host exists: end the older one. */
  z.strictObject({ kind: z.literal('superseded'), hostId: z.uuid(), sessionNo: z.int() }),
  /** The host may only report from now on. */
  z.strictObject({ kind: z.literal('quarantined'), hostId: z.uuid() }),
  /** The host is out of quarantine: its session begins anew, so that the host hears of it. */
  z.strictObject({ kind: z.literal('released'), hostId: z.uuid() }),
  /** The host has no access any more: its session ends. */
  z.strictObject({ kind: z.literal('revoked'), hostId: z.uuid() }),
]);
export type SessionMail = z.output<typeof sessionMail>;

/** Everybody's channel for it. */
export const SESSIONS_CHANNEL = 'sessions';

/** Told to every replica with a host's id, after the host's retirement is committed: whoever holds its session ends it. */
export const RETIRED_CHANNEL = 'host-retired';
