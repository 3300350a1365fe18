import type { SessionRow } from '../presence/session.queries.ts';

/** What to do with a new connection of a host. */
export type AdmissionStep =
  /** It becomes the host's session; what was before is over. */
  | { readonly kind: 'admit' }
  /** Another machine may be using the same identity: ask the older connection for a sign of life first. */
  | { readonly kind: 'probe'; readonly older: SessionRow }
  /** Two machines answer with one identity: both may only report. */
  | { readonly kind: 'clone'; readonly older: SessionRow };

/** What the probe of an older session found. */
export interface ProbeResult {
  readonly sessionNo: number;
  readonly answered: boolean;
}

/**
 * Newest wins on the same boot id: the agent reconnected, and the server has not seen the old connection end. Another boot id is a reboot, when
 * the older connection no longer answers, or a clone, when it does.
 *
 * @param probed the answer of the older session that was asked, if one was; an answer of yet another session does not count.
 */
export function decideAdmission(
  older: SessionRow | undefined,
  bootId: string,
  probed: ProbeResult | undefined,
): AdmissionStep {
  if (older === undefined || !older.live || older.bootId === bootId) return { kind: 'admit' };
  if (probed === undefined || probed.sessionNo !== older.sessionNo) return { kind: 'probe', older };
  return probed.answered ? { kind: 'clone', older } : { kind: 'admit' };
}
