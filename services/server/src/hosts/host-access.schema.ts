import { z } from 'zod';
import { envelope, hostRef, instant } from '../http/common.schema.ts';

const REASON_MAX = 1000;

/** A machine that was seen with the identity of a quarantined host. */
export const sightingSchema = z
  .strictObject({
    address: z.string(),
    bootId: z.string().describe('Two boot ids at one time are two machines.'),
    firstSeen: instant,
    lastSeen: instant,
    certificate: z.int().describe('Which of the host’s certificates it showed; they are used in rising order.'),
    how: z.enum(['session', 'renewal']),
  })
  .meta({ id: 'Sighting' });

export const revokeHostBody = z.strictObject({
  reason: z.string().trim().min(1, 'say why: it is kept with the host').max(REASON_MAX),
});

export const revokeHostSchema = z
  .strictObject({
    host: hostRef,
    revokedAt: instant,
    revokedBy: z.string(),
    reason: z.string(),
    ...envelope,
  })
  .meta({ id: 'RevokedHost' });

export const releaseHostBody = z.strictObject({ reason: z.string().max(REASON_MAX).optional() });

export const releaseHostSchema = z
  .strictObject({
    host: hostRef,
    quarantineReason: z.string(),
    machines: z.array(sightingSchema).describe('What was seen with its identity while it was in quarantine.'),
    releasedBy: z.string(),
    reason: z.string().nullable(),
    ...envelope,
  })
  .meta({ id: 'ReleasedHost' });
