import { counterOf } from '../ca/certificate-serial.ts';

/**
 * The certificates of a host may be used in rising order only: one that an later one has followed *in use* never again. A copy of a host's state shows
 * itself by that, as soon as either of the two machines has gone on (docs/adr/0027).
 *
 * - `current`: what was used last, or one that follows it.
 * - `superseded`: an older one than was used last, or another one with the same number: somebody else has gone on.
 *
 * Certificates that were issued and never used (their answer was lost) change nothing: the one before them stays current.
 *
 * @param serial of the certificate shown now, hex.
 * @param used serial of the latest one that was used, hex; empty: any may come.
 */
export function certificateUse(serial: string, used: string): 'current' | 'superseded' {
  if (used === '') return 'current';
  const [shown, last] = [counterOf(serial), counterOf(used)];
  if (shown !== last) return shown > last ? 'current' : 'superseded';
  // From before there were counters several good ones may be about.
  return shown === 0 || serial === used ? 'current' : 'superseded';
}
