import { z } from 'zod';

/** Where the rotation of the CA stands; docs/operations.md says what each phase does. */
export type CaPhase = 'single' | 'trust_both' | 'issue_new';

/** A key file of this server's making, in the folder of the set. */
export const ownKeyFile = z.string().regex(/^ca(-[0-9a-f]{16})?\.key$/);

/** Where a CA's private key is: made by this server, in the folder of the set; or given by the operator, wherever that is. */
const keySource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('own'), file: ownKeyFile }),
  z.strictObject({
    kind: z.literal('given'),
    certFile: z.string().min(1),
    keyFile: z.string().min(1),
    passphraseFile: z.string().min(1).nullable(),
  }),
]);

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const instant = z.iso.datetime();

const caRecord = {
  id: sha256Hex,
  certificate: z.base64(),
  key: keySource.nullable(),
  vouchedBy: z.strictObject({ id: sha256Hex, certificate: z.base64() }).nullable(),
  since: instant,
};
const currentCa = z.strictObject(caRecord);
const formerCa = z.strictObject({ ...caRecord, until: instant, why: z.enum(['replaced', 'abandoned']) });

export const caSetSchema = z
  .strictObject({
    format: z.literal(1),
    generation: z.int().min(1),
    phase: z.enum(['single', 'trust_both', 'issue_new'] satisfies CaPhase[]),
    changedAt: instant,
    current: currentCa,
    next: currentCa.nullable(),
    former: z.array(formerCa),
  })
  .refine((set) => (set.next === null) === (set.phase === 'single'), 'the phase and the number of CAs do not fit');

export type KeySource = z.output<typeof keySource>;

/**
 * One CA. `id`: SHA-256 of its certificate, hex; `certificate`: DER, base64; `key`: null once it was erased; `vouchedBy`: the certificate (DER, base64)
 * by which the CA before it vouches for it.
 */
export type CaRecord = z.output<typeof currentCa>;

/** A CA that no longer counts: until when it did, and whether it was replaced or never came into use. */
export type FormerCa = z.output<typeof formerCa>;

/**
 * All that a server knows of its CAs: STATE_DIR/ca/set.json. `current` is the CA that counted before the rotation, `next` the one that is to take its
 * place; `former` has the newest first. `generation` grows with every change of what is trusted.
 */
export type CaSet = z.output<typeof caSetSchema>;

/** The CAs that are trusted, the one that issues first. */
export function trustedCas(set: CaSet): CaRecord[] {
  if (set.next === null) return [set.current];
  return set.phase === 'issue_new' ? [set.next, set.current] : [set.current, set.next];
}

export function issuingCa(set: CaSet): CaRecord {
  return set.phase === 'issue_new' && set.next !== null ? set.next : set.current;
}

/** Every CA that ever counted here: what one of them signed is a certificate of this fleet. */
export function knownCas(set: CaSet): CaRecord[] {
  return [...trustedCas(set), ...set.former];
}

/**
 * The CA that join strings pin. The older one until the rotation is finished: it is trusted, or vouches for what is, in every phase that the string
 * may live through, also when the rotation goes back.
 */
export function pinnedCa(set: CaSet): CaRecord {
  return set.current;
}

/** How people see a CA's id. */
export function shortId(id: string): string {
  return id.slice(0, 16);
}
