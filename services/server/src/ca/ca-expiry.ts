import type { CaMaterial } from './ca-certificate.ts';
import { shortId } from './ca-set.ts';

/** How long the CAs last, in words; `error`: a person has to do something now. */
export interface ExpiryWords {
  readonly level: 'ok' | 'warn' | 'error';
  readonly words: string;
}

const DAY_MS = 86_400_000;
/** A rotation waits for hosts that sleep, and for change windows: half a year is well before. */
const WARN_DAYS = 180;
const ERROR_DAYS = 30;

const WAY_OUT = 'rotate it: docs/operations.md, "Rotate the CA"';

/** Of the CAs that are trusted, the one that issues first. What it issues never outlives it, so hosts feel its end before it comes. */
export function expiryOf(trusted: readonly Pick<CaMaterial, 'id' | 'notAfter'>[], now: Date): ExpiryWords {
  const [issuing] = trusted;
  if (issuing === undefined) return { level: 'error', words: 'there is no CA' };
  const days = Math.floor((issuing.notAfter.getTime() - now.getTime()) / DAY_MS);
  const ca = `CA ${shortId(issuing.id)}`;
  const until = issuing.notAfter.toISOString().slice(0, 10);
  if (days < 0)
    return {
      level: 'error',
      words: `${ca} ended on ${until}: no host can connect any more; rotate it, and join the hosts anew`,
    };
  if (days < ERROR_DAYS) return { level: 'error', words: `${ca} ends on ${until}, in ${days} days: ${WAY_OUT}` };
  if (days < WARN_DAYS) return { level: 'warn', words: `${ca} ends on ${until}, in ${days} days: ${WAY_OUT}` };
  return { level: 'ok', words: `${ca} is good until ${until}` };
}
